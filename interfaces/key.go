// SPDX-License-Identifier: Apache-2.0

package interfaces

import (
	"encoding/hex"
	"fmt"
)

// KeySize is the length of a key in bytes: that of a SHA-256 digest.
const KeySize = 32

// Key names an entry. It is a SHA-256 digest, made by package encoding; no
// path, Redis key or log line is ever made from anything but its hex digits.
type Key [KeySize]byte

// String returns the key as 64 lowercase hex digits.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Short returns the first 12 hex digits: enough for people to tell keys apart
// in a message.
func (k Key) Short() string { return hex.EncodeToString(k[:6]) }

// ParseKey returns the key that text, 64 hex digits of either case, stands
// for. Anything else is an error that says what was wrong.
func ParseKey(text string) (Key, error) {
	var key Key
	if len(text) != 2*KeySize {
		return Key{}, fmt.Errorf("a key is %d hex digits, not %d characters", 2*KeySize, len(text))
	}
	if _, err := hex.Decode(key[:], []byte(text)); err != nil {
		return Key{}, fmt.Errorf("a key is %d hex digits: %w", 2*KeySize, err)
	}
	return key, nil
}

// MarshalText implements [encoding.TextMarshaler] as [Key.String] does.
func (k Key) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

// UnmarshalText implements [encoding.TextUnmarshaler] as [ParseKey] does.
func (k *Key) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKey(string(text))
	return err
}
