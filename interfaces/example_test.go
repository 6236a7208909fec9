// SPDX-License-Identifier: Apache-2.0

package interfaces_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// table is the smallest cache there is: two methods.
type table map[interfaces.Key]interfaces.Entry

func (t table) Get(_ context.Context, key interfaces.Key) (interfaces.Entry, error) {
	entry, ok := t[key]
	if !ok {
		return interfaces.Entry{}, cacheerr.ErrMiss
	}
	return entry, nil
}

func (t table) Put(_ context.Context, key interfaces.Key, entry interfaces.Entry) error {
	body, err := entry.Bytes()
	if err != nil {
		return err
	}
	t[key] = interfaces.Bytes(body).WithHead(entry.Head)
	return nil
}

// Len is a capability: callers ask with interfaces.Len.
func (t table) Len(context.Context) (int, error) { return len(t), nil }

// What Get returns, Put accepts: copying an entry from one cache to another is
// one line, with its time, its cost and its tag.
func Example() {
	ctx := context.Background()
	near, far := table{}, table{}
	key, err := interfaces.ParseKey("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
	if err != nil {
		fmt.Println(err)
		return
	}
	entry := interfaces.Text("main.o").WithHead(interfaces.Head{Cost: 2 * time.Second, Tag: "amd64"})
	if err := far.Put(ctx, key, entry); err != nil {
		fmt.Println(err)
	}

	_, err = near.Get(ctx, key)
	fmt.Println(errors.Is(err, cacheerr.ErrMiss))
	if entry, err = far.Get(ctx, key); err == nil {
		err = near.Put(ctx, key, entry)
	}
	fmt.Println(err)
	entry, err = near.Get(ctx, key)
	body, _ := entry.Text()
	fmt.Println(body, entry.Cost, entry.Tag, err)
	// Output:
	// true
	// <nil>
	// main.o 2s amd64 <nil>
}

// A body of unknown length is streamed; it is counted where it is stored.
func ExampleStream() {
	ctx := context.Background()
	cache := table{}
	body := interfaces.Stream(strings.NewReader("streamed"), interfaces.SizeUnknown)
	if err := cache.Put(ctx, interfaces.Key{1}, body); err != nil {
		fmt.Println(err)
	}
	head, err := interfaces.Stat(ctx, cache, interfaces.Key{1})
	fmt.Println(head.Size, err)
	// Output: 8 <nil>
}

// A package function asks for a capability and says what a cache without it
// does.
func ExampleLen() {
	ctx := context.Background()
	fmt.Println(interfaces.Len(ctx, table{interfaces.Key{1}: {}}))
	fmt.Println(interfaces.Delete(ctx, table{}, interfaces.Key{1}))
	// Output:
	// 1 <nil>
	// unsupported operation
}
