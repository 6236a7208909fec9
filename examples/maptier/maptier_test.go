// SPDX-License-Identifier: Apache-2.0

package maptier_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/cachetest"
	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/examples/maptier"
	"github.com/tiercecache/tierce/interfaces"
)

func TestConformance(t *testing.T) {
	cachetest.Run(t, cachetest.Config{
		Open: func(t *testing.T) interfaces.Cache { return open(t, maptier.Options{}) },
	})
}

func open(t *testing.T, opts maptier.Options) *maptier.Cache {
	t.Helper()
	c, err := maptier.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMaxBody(t *testing.T) {
	c := open(t, maptier.Options{MaxBody: 10})
	key := encoding.RawKey([]byte("key"))
	for _, body := range []interfaces.Entry{
		interfaces.Text("eleven byte"),
		interfaces.Stream(strings.NewReader("eleven byte"), interfaces.SizeUnknown),
	} {
		err := c.Put(t.Context(), key, body)
		if tooLarge, ok := errors.AsType[*cacheerr.EntryTooLargeError](err); !ok || tooLarge.Requested != 11 || tooLarge.Available != 10 {
			t.Errorf("Put of 11 bytes where 10 fit: error %v, want EntryTooLargeError with 11 and 10", err)
		}
	}
	if err := c.Put(t.Context(), key, interfaces.Text("ten bytes.")); err != nil {
		t.Errorf("Put of 10 bytes where 10 fit: %v", err)
	}
	for _, maxBody := range []int64{-1, 1<<30 + 1} {
		if _, err := maptier.Open(t.Context(), maptier.Options{MaxBody: maxBody}); err == nil {
			t.Errorf("Open with MaxBody %d: no error", maxBody)
		}
	}
}

func TestChecksumIsKnown(t *testing.T) {
	c, key := open(t, maptier.Options{}), encoding.RawKey([]byte("key"))
	if err := c.Put(t.Context(), key, interfaces.Text("body")); err != nil {
		t.Fatal(err)
	}
	entry, err := c.Get(t.Context(), key)
	if want := encoding.SumString(key, "body"); err != nil || entry.Checksum != want {
		t.Errorf("Get: checksum %x and error %v, want %x", entry.Checksum, err, want)
	}
}

func ExampleOpen() {
	ctx := context.Background()
	c, err := maptier.Open(ctx, maptier.Options{MaxBody: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	key := encoding.RawKey([]byte("fruit"))
	if err := c.Put(ctx, key, interfaces.Text("apple")); err != nil {
		fmt.Println(err)
		return
	}
	entry, err := c.Get(ctx, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	body, _ := entry.Text() // in memory: maptier's always are
	fmt.Println(body, entry.Close())
	// Output: apple <nil>
}
