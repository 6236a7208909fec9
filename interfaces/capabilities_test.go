// SPDX-License-Identifier: Apache-2.0

package interfaces_test

import (
	"context"
	"errors"
	"testing"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// unsupported is a cache with n entries that has every method and no
// capability.
func unsupported(n byte) full { return full{filled(n), errors.ErrUnsupported} }

func TestInsert(t *testing.T) {
	ctx := t.Context()
	t.Run("with the capability", func(t *testing.T) {
		c := full{bare: filled(1)}
		for k, want := range map[byte]bool{1: false, 2: true} {
			if inserted, err := interfaces.Insert(ctx, c, key(k), interfaces.Text("x")); inserted != want || err != nil {
				t.Errorf("Insert of key %d: %t and %v, want %t", k, inserted, err, want)
			}
		}
		wantCalls(t, c.bare, "Insert", "Insert")
	})
	t.Run("without it", func(t *testing.T) {
		// Get and Put after each other would promise what they cannot keep.
		b := newBare()
		inserted, err := interfaces.Insert(ctx, b, key(1), interfaces.Text("x"))
		if inserted {
			t.Error("inserted")
		}
		wantError(t, err, errors.ErrUnsupported)
		wantCalls(t, b)
	})
	t.Run("as if without it", func(t *testing.T) {
		c := unsupported(0)
		_, err := interfaces.Insert(ctx, c, key(1), interfaces.Text("x"))
		wantError(t, err, errors.ErrUnsupported)
		wantCalls(t, c.bare, "Insert")
	})
}

func TestDelete(t *testing.T) {
	ctx := t.Context()
	t.Run("with the capability", func(t *testing.T) {
		c := full{bare: filled(1)}
		wantError(t, interfaces.Delete(ctx, c, key(1)), nil)
		wantError(t, interfaces.Delete(ctx, c, key(1)), cacheerr.ErrMiss)
		wantCalls(t, c.bare, "Delete", "Delete")
	})
	t.Run("without it", func(t *testing.T) {
		b := filled(1)
		wantError(t, interfaces.Delete(ctx, b, key(1)), errors.ErrUnsupported)
		wantCalls(t, b)
	})
	t.Run("as if without it", func(t *testing.T) {
		wantError(t, interfaces.Delete(ctx, unsupported(1), key(1)), errors.ErrUnsupported)
	})
}

func TestStat(t *testing.T) {
	ctx := t.Context()
	t.Run("with the capability", func(t *testing.T) {
		c := full{bare: filled(1)}
		if head, err := interfaces.Stat(ctx, c, key(1)); head.Size != 1 || err != nil {
			t.Errorf("Stat: %+v and %v, want a body of 1 byte", head, err)
		}
		_, err := interfaces.Stat(ctx, c, key(2))
		wantError(t, err, cacheerr.ErrMiss)
		wantCalls(t, c.bare, "Stat", "Stat")
	})
	for name, c := range map[string]interfaces.Cache{"without it": filled(0), "as if without it": unsupported(0)} {
		t.Run(name, func(t *testing.T) {
			body := &closing{}
			wantError(t, c.Put(ctx, key(1), interfaces.Stream(body, 7)), nil)
			if head, err := interfaces.Stat(ctx, c, key(1)); head.Size != 7 || err != nil {
				t.Errorf("Stat: %+v and %v, want a body of 7 bytes", head, err)
			}
			if body.closed != 1 {
				t.Errorf("the entry was closed %d times, want once", body.closed)
			}
			_, err := interfaces.Stat(ctx, c, key(2))
			wantError(t, err, cacheerr.ErrMiss)
		})
	}
	t.Run("a failure is not a missing capability", func(t *testing.T) {
		c := full{filled(1), errBroken}
		_, err := interfaces.Stat(ctx, c, key(1))
		wantError(t, err, errBroken)
		wantCalls(t, c.bare, "Stat")
	})
}

// closing is a body that counts how often it is closed.
type closing struct {
	closed int
	err    error
}

func (c *closing) Read([]byte) (int, error) { return 0, errBroken }

func (c *closing) Close() error { c.closed++; return c.err }

func TestLen(t *testing.T) {
	ctx := t.Context()
	for name, c := range map[string]interfaces.Cache{"with the capability": full{bare: filled(3)}, "it lists": lists{full{bare: filled(3)}}} {
		if n, err := interfaces.Len(ctx, c); n != 3 || err != nil {
			t.Errorf("%s: %d and %v, want 3", name, n, err)
		}
	}
	for name, c := range map[string]interfaces.Cache{"without it": filled(3), "as if without it": unsupported(3)} {
		if n, err := interfaces.Len(ctx, c); n != 0 || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %d and %v, want 0 and ErrUnsupported", name, n, err)
		}
	}
	if n, err := interfaces.Len(ctx, lists{full{filled(3), errBroken}}); n != 0 || !errors.Is(err, errBroken) {
		t.Errorf("the list breaks off: %d and %v, want 0 and its error", n, err)
	}
	broken := full{filled(3), errBroken}
	if _, err := interfaces.Len(ctx, broken); !errors.Is(err, errBroken) {
		t.Errorf("Len fails: %v, want its error", err)
	}
	wantCalls(t, broken.bare, "Len")
}

func TestClear(t *testing.T) {
	ctx := t.Context()
	for name, c := range map[string]interfaces.Cache{"with the capability": full{bare: filled(3)}, "it lists and deletes": lists{full{bare: filled(3)}}} {
		wantError(t, interfaces.Clear(ctx, c), nil)
		if _, err := c.Get(ctx, key(1)); !errors.Is(err, cacheerr.ErrMiss) {
			t.Errorf("%s: Get after Clear: %v, want a miss", name, err)
		}
	}
	wantError(t, interfaces.Clear(ctx, filled(1)), errors.ErrUnsupported)
	wantError(t, interfaces.Clear(ctx, unsupported(1)), errors.ErrUnsupported)
	wantError(t, interfaces.Clear(ctx, full{filled(1), errBroken}), errBroken)
	t.Run("an entry that went meanwhile is what was wanted", func(t *testing.T) {
		c := racing{lists{full{bare: filled(3)}}, true}
		wantError(t, interfaces.Clear(ctx, c), nil)
	})
	t.Run("an entry that stays is an error", func(t *testing.T) {
		c := racing{lists{full{bare: filled(3)}}, false}
		wantError(t, interfaces.Clear(ctx, c), errBroken)
	})
}

// racing is a cache whose Deletes fail, with the entry gone all the same or not.
type racing struct {
	lists
	gone bool
}

func (r racing) Delete(ctx context.Context, key interfaces.Key) error {
	if r.gone {
		_ = r.lists.Delete(ctx, key)
	}
	return errBroken
}

func TestList(t *testing.T) {
	ctx := t.Context()
	n := byte(0)
	for k, err := range interfaces.List(ctx, full{bare: filled(3)}) {
		if n++; k != key(n) || err != nil {
			t.Errorf("%v and %v, want key %d", k, err, n)
		}
	}
	if n != 3 {
		t.Errorf("%d keys, want 3", n)
	}
	for range interfaces.List(ctx, full{bare: filled(3)}) {
		break // ends it
	}
	for name, c := range map[string]interfaces.Cache{"without the capability": filled(3), "as if without it": unsupported(3)} {
		n := 0
		for k, err := range interfaces.List(ctx, c) {
			if n++; k != (interfaces.Key{}) || !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("%s: %v and %v, want no key and ErrUnsupported", name, k, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d pairs, want 1", name, n)
		}
	}
}

func TestPath(t *testing.T) {
	ctx := t.Context()
	if path, size, err := interfaces.Path(ctx, full{bare: filled(1)}, key(1)); path != "/"+key(1).String() || size != 3 || err != nil {
		t.Errorf("Path: %q, %d and %v, want that of the capability", path, size, err)
	}
	for _, c := range []interfaces.Cache{filled(1), unsupported(1)} {
		if path, size, err := interfaces.Path(ctx, c, key(1)); path != "" || size != 0 || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Path without the capability: %q, %d and %v, want ErrUnsupported", path, size, err)
		}
	}
}

func TestPing(t *testing.T) {
	ctx := t.Context()
	for name, test := range map[string]struct {
		c    interfaces.Cache
		want error
	}{
		"it answers":             {full{bare: newBare()}, nil},
		"it does not":            {full{newBare(), errBroken}, errBroken},
		"without the capability": {newBare(), nil},
		"as if without it":       {unsupported(0), nil},
	} {
		if err := interfaces.Ping(ctx, test.c); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}

func TestConsistency(t *testing.T) {
	if got := interfaces.ConsistencyOf(full{bare: newBare()}); got != interfaces.ConsistencyStrong {
		t.Errorf("with the capability: %v, want strong", got)
	}
	if got := interfaces.ConsistencyOf(newBare()); got != interfaces.ConsistencyUnknown {
		t.Errorf("without it: %v, want unknown", got)
	}
	for c, want := range map[interfaces.Consistency]string{
		interfaces.ConsistencyUnknown: "unknown", interfaces.ConsistencyEventual: "eventual",
		interfaces.ConsistencyStrong: "strong", 99: "unknown",
	} {
		if got := c.String(); got != want {
			t.Errorf("Consistency(%d) is %q, want %q", int(c), got, want)
		}
	}
}

func TestClose(t *testing.T) {
	c := full{bare: newBare()}
	wantError(t, interfaces.Close(c), nil)
	wantCalls(t, c.bare, "Close")
	wantError(t, interfaces.Close(full{newBare(), errBroken}), errBroken)
	wantError(t, interfaces.Close(newBare()), nil)
}
