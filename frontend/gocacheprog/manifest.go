// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import (
	"encoding/binary"
	"errors"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
)

// A manifest is the body of an entry under a key of manifests: what a build asked
// for, in that order. It says where to look and never what is there: keys that
// lead nowhere, or elsewhere, cost time and no more. Its form is
//
//	1 byte  version, 1
//	for each action: record key [32] | output key [32] | age [1] | size uvarint
//
// Size is that of the output in bytes. Age counts the manifests since the action
// was asked for, 0 being this one.
const manifestVersion = 1

const (
	// maxManifest is the longest manifest in bytes, of some 60,000 actions: the
	// build of all of Kubernetes asks for a tenth of that.
	maxManifest = 4 << 20
	// maxAge is the age at which an action is left out. A build of another
	// branch, or one that failed, must not make the next forget the rest.
	maxAge = 3
)

var manifests = encoding.Keyspace{Schema: schema, Namespace: "go/manifest"}

// action is what a manifest says of an action: where what it led to is.
type action struct {
	record, output interfaces.Key
	size           int64 // of the output, in bytes
	age            uint8
}

var errManifest = errors.New("this is no manifest")

// appendManifest appends the manifest of actions to dst, of as many as fit.
func appendManifest(dst []byte, actions []action) []byte {
	dst = append(dst, manifestVersion)
	for _, a := range actions {
		if len(dst)+2*interfaces.KeySize+1+binary.MaxVarintLen64 > maxManifest {
			break
		}
		dst = append(append(dst, a.record[:]...), a.output[:]...)
		dst = binary.AppendUvarint(append(dst, a.age), uint64(a.size))
	}
	return dst
}

// parseManifest returns the actions of a manifest.
func parseManifest(text []byte) ([]action, error) {
	if len(text) == 0 || len(text) > maxManifest || text[0] != manifestVersion {
		return nil, errManifest
	}
	text = text[1:]
	actions := make([]action, 0, len(text)/(2*interfaces.KeySize+4))
	for len(text) > 0 {
		if len(text) <= 2*interfaces.KeySize+1 {
			return nil, errManifest
		}
		var a action
		text = text[copy(a.record[:], text):]
		text = text[copy(a.output[:], text):]
		a.age = text[0]
		size, n := binary.Uvarint(text[1:])
		if n <= 0 || int64(size) < 0 {
			return nil, errManifest
		}
		a.size, text = int64(size), text[1+n:]
		actions = append(actions, a)
	}
	return actions, nil
}

// merge returns the actions of the next manifest: those that were asked for, and
// behind them those of the last one that were not, a manifest older. It reports
// false if there is nothing new among them.
func merge(asked, last []action) (next []action, changed bool) {
	known := make(map[interfaces.Key]interfaces.Key, len(last))
	for _, a := range last {
		known[a.record] = a.output
	}
	for _, a := range asked {
		output, ok := known[a.record]
		changed = changed || !ok || output != a.output
		delete(known, a.record)
		next = append(next, a)
	}
	for _, a := range last {
		if _, left := known[a.record]; left && a.age < maxAge {
			a.age++
			delete(known, a.record) // once
			next = append(next, a)
		}
	}
	return next, changed
}
