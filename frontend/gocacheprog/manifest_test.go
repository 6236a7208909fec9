// SPDX-License-Identifier: Apache-2.0

package gocacheprog_test

import (
	"encoding/hex"
	"math"
	"reflect"
	"testing"

	"github.com/tiercecache/tierce/frontend/gocacheprog"
	"github.com/tiercecache/tierce/interfaces"
)

func someAction(n byte) gocacheprog.Action {
	return gocacheprog.Action{Record: interfaces.Key{n}, Output: interfaces.Key{n, 1}, Size: int64(n) << 20}
}

// TestManifest: the form, which other versions of this program read.
func TestManifest(t *testing.T) {
	all := []gocacheprog.Action{someAction(1), someAction(0), {Size: math.MaxInt64, Age: 3}}
	text := gocacheprog.Manifest(all...)
	if got, err := gocacheprog.ParseManifest(text); err != nil || !reflect.DeepEqual(got, all) {
		t.Errorf("%+v and %v, want %+v", got, err, all)
	}
	zeros := hex.EncodeToString(make([]byte, 31))
	if got, want := hex.EncodeToString(gocacheprog.Manifest(someAction(1))), "01"+"01"+zeros+"0101"+zeros[2:]+"00"+"808040"; got != want {
		t.Errorf("the manifest is %s, want %s", got, want)
	}
	if got, err := gocacheprog.ParseManifest(gocacheprog.Manifest()); len(got) != 0 || err != nil {
		t.Errorf("an empty one is %v and %v", got, err)
	}
	many := make([]gocacheprog.Action, gocacheprog.MaxManifest/64)
	text = gocacheprog.Manifest(many...)
	if got, err := gocacheprog.ParseManifest(text); len(text) > gocacheprog.MaxManifest || err != nil || len(got) == 0 {
		t.Errorf("of too many actions: %d bytes, %d actions and %v", len(text), len(got), err)
	}
}

// TestMerge: what was not asked for stays for some manifests more.
func TestMerge(t *testing.T) {
	a, b, c := someAction(1), someAction(2), someAction(3)
	aged := func(a gocacheprog.Action, age uint8) gocacheprog.Action { a.Age = age; return a }
	other := a
	other.Output = interfaces.Key{9}
	for name, test := range map[string]struct {
		asked, last, next []gocacheprog.Action
		changed           bool
	}{
		"the first":            {[]gocacheprog.Action{a, b}, nil, []gocacheprog.Action{a, b}, true},
		"the same":             {[]gocacheprog.Action{b, a}, []gocacheprog.Action{a, b}, []gocacheprog.Action{b, a}, false},
		"less":                 {[]gocacheprog.Action{b}, []gocacheprog.Action{a, b}, []gocacheprog.Action{b, aged(a, 1)}, false},
		"something new":        {[]gocacheprog.Action{c, b}, []gocacheprog.Action{a, b}, []gocacheprog.Action{c, b, aged(a, 1)}, true},
		"another output":       {[]gocacheprog.Action{other}, []gocacheprog.Action{a}, []gocacheprog.Action{other}, true},
		"old ones go":          {[]gocacheprog.Action{c}, []gocacheprog.Action{aged(a, 3), aged(b, 2)}, []gocacheprog.Action{c, aged(b, 3)}, true},
		"what is back is new":  {[]gocacheprog.Action{a}, []gocacheprog.Action{aged(a, 3)}, []gocacheprog.Action{a}, false},
		"each once":            {[]gocacheprog.Action{c}, []gocacheprog.Action{a, a}, []gocacheprog.Action{c, aged(a, 1)}, true},
		"nothing of something": {nil, []gocacheprog.Action{a}, []gocacheprog.Action{aged(a, 1)}, false},
	} {
		next, changed := gocacheprog.Merge(test.asked, test.last)
		if !reflect.DeepEqual(next, test.next) || changed != test.changed {
			t.Errorf("%s: %+v and %t, want %+v and %t", name, next, changed, test.next, test.changed)
		}
	}
}

// FuzzManifest: what is read is what would be written, or an error.
func FuzzManifest(f *testing.F) {
	f.Add(gocacheprog.Manifest())
	f.Add(gocacheprog.Manifest(someAction(1), someAction(200)))
	f.Add(gocacheprog.Manifest(someAction(1))[:40])
	f.Add([]byte{2})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		actions, err := gocacheprog.ParseManifest(text)
		if err != nil {
			return
		}
		again, err := gocacheprog.ParseManifest(gocacheprog.Manifest(actions...))
		if err != nil || !reflect.DeepEqual(again, actions) {
			t.Errorf("%d actions are read again as %d, and %v", len(actions), len(again), err)
		}
		if len(gocacheprog.Manifest(actions...)) > max(1, len(text)) {
			t.Error("the shortest form is longer")
		}
	})
}
