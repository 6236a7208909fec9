// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// scalar sets v, which is of one of Go's own types, to what n has.
func (d decoder) scalar(name string, n node, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		if n.kind != text {
			return n.errorf(name, "want text, not %s%s", n, quotes(n))
		}
		v.SetString(n.text)
		return nil
	case reflect.Bool:
		if n.kind != boolean {
			return n.errorf(name, "want true or false, not %s", n)
		}
		v.SetBool(strings.EqualFold(n.text, "true"))
		return nil
	case reflect.Int64:
		return d.size(name, n, v)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32:
		return d.integer(name, n, v)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return d.unsigned(name, n, v)
	case reflect.Float32, reflect.Float64:
		return d.float(name, n, v)
	default:
		return unsettable(name, n, v)
	}
}

// quotes is the advice for text that reads as something else.
func quotes(n node) string {
	if n.scalar() {
		return `; put it in "quotes"`
	}
	return ""
}

// size sets v to bytes.
func (d decoder) size(name string, n node, v reflect.Value) error {
	if n.kind != text && n.kind != number {
		return n.errorf(name, "want a size such as 20GiB, not %s", n)
	}
	size, err := parseSigned(n.text)
	switch {
	case err != nil:
		return n.errorf(name, "%s %v", n, err)
	case size <= 0:
		return tooLittle(name, n, formatSize(v.Int()))
	}
	v.SetInt(size)
	return nil
}

func (d decoder) integer(name string, n node, v reflect.Value) error {
	i, err := strconv.ParseInt(n.text, 10, v.Type().Bits())
	if n.kind != number || err != nil {
		return n.errorf(name, "want a whole number of at most %d bits, not %s", v.Type().Bits(), n)
	}
	if i <= 0 && isCap(name) {
		return tooLittle(name, n, strconv.FormatInt(v.Int(), 10))
	}
	v.SetInt(i)
	return nil
}

func (d decoder) unsigned(name string, n node, v reflect.Value) error {
	i, err := strconv.ParseUint(n.text, 10, v.Type().Bits())
	if n.kind != number || err != nil {
		return n.errorf(name, "want a whole number of at most %d bits that is not negative, not %s", v.Type().Bits(), n)
	}
	if i == 0 && isCap(name) {
		return tooLittle(name, n, strconv.FormatUint(v.Uint(), 10))
	}
	v.SetUint(i)
	return nil
}

func (d decoder) float(name string, n node, v reflect.Value) error {
	f, err := strconv.ParseFloat(n.text, v.Type().Bits())
	if n.kind != number || err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return n.errorf(name, "want a number such as 0.9, not %s", n)
	}
	v.SetFloat(f)
	return nil
}

func (d decoder) duration(name string, n node, v reflect.Value) error {
	duration, err := time.ParseDuration(n.text)
	if n.kind != text || err != nil || duration < 0 {
		return n.errorf(name, "want a duration such as 60s or 1h30m, not %s", n)
	}
	v.SetInt(int64(duration))
	return nil
}

func (d decoder) path(name string, n node, v reflect.Value) error {
	if n.kind != text {
		return n.errorf(name, "want a path, not %s%s", n, quotes(n))
	}
	path, err := resolvePath(n.text, n.base())
	if err != nil {
		return n.errorf(name, "%s %v", n, err)
	}
	v.SetString(string(path))
	return nil
}

// secret says nothing of what was written but its kind.
func (d decoder) secret(name string, n node, v reflect.Value) error {
	if n.kind != text {
		return n.errorf(name, `want text; put it in "quotes"`)
	}
	secret, err := expandSecret(n.text, d.lookup)
	if err != nil {
		return n.errorf(name, "the value %v", err)
	}
	v.Set(reflect.ValueOf(secret))
	return nil
}

// unmarshal lets a type of the tier's own read what was written.
func (d decoder) unmarshal(name string, n node, into encoding.TextUnmarshaler) error {
	if !n.scalar() {
		return n.errorf(name, "want text, not %s", n)
	}
	if err := into.UnmarshalText([]byte(n.text)); err != nil {
		e := n.errorf(name, "%v", err)
		e.Err = err
		return e
	}
	return nil
}

// isCap reports whether the field of this name limits how much is kept.
func isCap(name string) bool {
	return strings.HasPrefix(name[strings.LastIndexByte(name, '.')+1:], "max_")
}

// isUnlimited reports whether n takes a cap away, which 0 stands for.
func isUnlimited(name string, n node, v reflect.Value) bool {
	return isCap(name) && (v.CanInt() || v.CanUint()) && n.kind == text && n.text == unlimited
}

// tooLittle returns the error about a size or number that must be more than 0,
// and is by default what fallback says.
func tooLittle(name string, n node, fallback string) error {
	switch {
	case !isCap(name):
		return n.errorf(name, "%s is too little; write a size of more than 0, such as 64KiB", n)
	case fallback == "0":
		return n.errorf(name, "a cap of %s keeps nothing; leave it out for no cap", n.text)
	default:
		return n.errorf(name, "a cap of %s keeps nothing; write none for no cap, or leave it out for %s", n.text, fallback)
	}
}
