// SPDX-License-Identifier: Apache-2.0

package interfaces_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

var keys = []interfaces.Key{key(1), key(2), key(3)}

func TestGetBatch(t *testing.T) {
	ctx := t.Context()
	t.Run("with the capability", testBatchCapability)
	for name, c := range map[string]interfaces.Cache{"without it": filled(2), "as if without it": unsupported(2)} {
		t.Run(name, func(t *testing.T) {
			bodies := []*closing{{}, {}}
			for i, body := range bodies {
				wantError(t, c.Put(ctx, keys[i], interfaces.Stream(body, int64(i))), nil)
			}
			n := 0
			err := interfaces.GetBatch(ctx, c, keys, func(i int, entry interfaces.Entry, err error) error {
				if i != n {
					t.Errorf("place %d, want %d", i, n)
				}
				if want := map[int]error{2: cacheerr.ErrMiss}[i]; !errors.Is(err, want) || err == nil && entry.Size != int64(i) {
					t.Errorf("place %d: %+v and %v, want error %v", i, entry.Head, err, want)
				}
				if i < len(bodies) && bodies[i].closed != 0 {
					t.Errorf("the entry at %d is closed before each returned", i)
				}
				n++
				return nil
			})
			wantError(t, err, nil)
			if n != 3 {
				t.Errorf("each was called %d times, want 3", n)
			}
			for i, body := range bodies {
				if body.closed != 1 {
					t.Errorf("the entry at %d was closed %d times, want once", i, body.closed)
				}
			}
		})
	}
	t.Run("what each returns ends it", func(t *testing.T) {
		c := filled(3)
		err := interfaces.GetBatch(ctx, c, keys, func(int, interfaces.Entry, error) error { return errBroken })
		wantError(t, err, errBroken)
		wantCalls(t, c, "Get")
	})
	t.Run("the context ends it", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		c := filled(3)
		err := interfaces.GetBatch(ctx, c, keys, func(int, interfaces.Entry, error) error { cancel(); return nil })
		wantError(t, err, context.Canceled)
		wantCalls(t, c, "Get")
	})
	t.Run("a failure is not a missing capability", func(t *testing.T) {
		c := full{filled(3), errBroken}
		wantError(t, interfaces.GetBatch(ctx, c, keys, nil), errBroken)
		wantCalls(t, c.bare, "GetBatch")
	})
}

func testBatchCapability(t *testing.T) {
	ctx := t.Context()
	c := full{bare: filled(3)}
	n := 0
	err := interfaces.GetBatch(ctx, c, keys, func(int, interfaces.Entry, error) error { n++; return nil })
	wantError(t, err, nil)
	if n != 3 {
		t.Errorf("each was called %d times, want 3", n)
	}
	wantCalls(t, c.bare, "GetBatch")
}

func items() []interfaces.Item {
	return []interfaces.Item{{Key: keys[0], Entry: interfaces.Text("a")}, {Key: keys[1], Entry: interfaces.Text("b")}}
}

func TestPutBatch(t *testing.T) {
	ctx := t.Context()
	t.Run("with the capability", func(t *testing.T) {
		c := full{bare: newBare()}
		wantError(t, interfaces.PutBatch(ctx, c, items()), nil)
		wantCalls(t, c.bare, "PutBatch")
	})
	for name, c := range map[string]interfaces.Cache{"without it": newBare(), "as if without it": unsupported(0)} {
		t.Run(name, func(t *testing.T) {
			wantError(t, interfaces.PutBatch(ctx, c, items()), nil)
			for _, item := range items() {
				if entry, err := c.Get(ctx, item.Key); err != nil || entry.Size != 1 {
					t.Errorf("Get of %s: %v, want its entry", item.Key.Short(), err)
				}
			}
		})
	}
	t.Run("the first that fails ends it", func(t *testing.T) {
		c := newBare()
		c.fail = errBroken
		err := interfaces.PutBatch(ctx, c, items())
		var batch *interfaces.BatchError
		if !errors.As(err, &batch) || batch.Index != 0 || batch.Key != keys[0] || !errors.Is(err, errBroken) {
			t.Errorf("error %v, want a BatchError of item 0", err)
		}
		if text := err.Error(); !strings.Contains(text, "item 0") || !strings.Contains(text, keys[0].Short()) || !strings.Contains(text, "broken") {
			t.Errorf("its text is %q, want the item, its key and why", text)
		}
		wantCalls(t, c, "Put")
	})
	t.Run("a failure is not a missing capability", func(t *testing.T) {
		c := full{newBare(), errBroken}
		wantError(t, interfaces.PutBatch(ctx, c, items()), errBroken)
		wantCalls(t, c.bare, "PutBatch")
	})
}
