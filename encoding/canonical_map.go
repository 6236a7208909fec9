// SPDX-License-Identifier: Apache-2.0

package encoding

import (
	"cmp"
	"encoding"
	"reflect"
	"slices"
	"strconv"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// sorted writes a map.
func (w *canonical) sorted(v reflect.Value) *refusal {
	type member struct {
		name  string
		key   reflect.Value
		value reflect.Value
	}
	members := make([]member, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		name, err := keyName(it.Key())
		if err != nil {
			return err
		}
		members = append(members, member{name, it.Key(), it.Value()})
	}
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	w.buf = append(w.buf, '{')
	for i, m := range members {
		if i > 0 {
			if m.name == members[i-1].name {
				return refuse(v, "two of its keys have the same text "+strconv.Quote(cacheerr.Shorten(m.name)))
			}
			w.buf = append(w.buf, ',')
		}
		if err := w.text(m.key, m.name); err != nil {
			return err
		}
		w.buf = append(w.buf, ':')
		if err := w.value(m.value); err != nil {
			return err.at("[" + strconv.Quote(m.name) + "]")
		}
	}
	w.buf = append(w.buf, '}')
	return nil
}

// keyName returns the name under which a map's key stands in an object.
func keyName(key reflect.Value) (string, *refusal) {
	switch kind := key.Kind(); {
	case kind == reflect.String:
		return key.String(), nil
	case marshaling(key.Type()) == textMarshaler:
		text, err := addressable(key).Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			return "", refuse(key, "its MarshalText failed").because(err)
		}
		return string(text), nil
	case key.CanInt():
		return strconv.FormatInt(key.Int(), 10), nil
	case key.CanUint() && kind != reflect.Uintptr:
		return strconv.FormatUint(key.Uint(), 10), nil
	default:
		return "", refuse(key, "it is no key of a JSON object")
	}
}
