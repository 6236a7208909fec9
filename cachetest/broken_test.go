// SPDX-License-Identifier: Apache-2.0

package cachetest_test

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/tiercecache/tierce/cachetest"
	"github.com/tiercecache/tierce/interfaces"
)

// Short names for the table of broken caches.
type (
	ctx   = context.Context
	key   = interfaces.Key
	entry = interfaces.Entry
	head  = interfaces.Head
	full  = *cachetest.Full
	each  = func(i int, e entry, err error) error
)

// broken is a Full of which some methods are others.
type broken struct {
	full
	get         func(full, ctx, key) (entry, error)
	put         func(full, ctx, key, entry) error
	insert      func(full, ctx, key, entry) (bool, error)
	delete      func(full, ctx, key) error
	stat        func(full, ctx, key) (head, error)
	len         func(full, ctx) (int, error)
	clear       func(full, ctx) error
	list        func(full, ctx) iter.Seq2[key, error]
	path        func(full, ctx, key) (string, int64, error)
	getBatch    func(full, ctx, []key, each) error
	putBatch    func(full, ctx, []interfaces.Item) error
	ping        func(full, ctx) error
	consistency func(full) interfaces.Consistency
	close       func(full) error
}

// newBroken returns a Full after change, which may set its methods.
func newBroken(t *testing.T, change func(*broken)) broken {
	b := broken{
		full: cachetest.NewFull(t),
		get:  full.Get, put: full.Put, insert: full.Insert, delete: full.Delete, stat: full.Stat,
		len: full.Len, clear: full.Clear, list: full.List, path: full.Path,
		getBatch: full.GetBatch, putBatch: full.PutBatch,
		ping: full.Ping, consistency: full.Consistency, close: full.Close,
	}
	change(&b)
	return b
}

func (b broken) Get(c ctx, k key) (entry, error)               { return b.get(b.full, c, k) }
func (b broken) Put(c ctx, k key, e entry) error               { return b.put(b.full, c, k, e) }
func (b broken) Insert(c ctx, k key, e entry) (bool, error)    { return b.insert(b.full, c, k, e) }
func (b broken) Delete(c ctx, k key) error                     { return b.delete(b.full, c, k) }
func (b broken) Stat(c ctx, k key) (head, error)               { return b.stat(b.full, c, k) }
func (b broken) Len(c ctx) (int, error)                        { return b.len(b.full, c) }
func (b broken) Clear(c ctx) error                             { return b.clear(b.full, c) }
func (b broken) List(c ctx) iter.Seq2[key, error]              { return b.list(b.full, c) }
func (b broken) Path(c ctx, k key) (string, int64, error)      { return b.path(b.full, c, k) }
func (b broken) GetBatch(c ctx, k []key, e each) error         { return b.getBatch(b.full, c, k, e) }
func (b broken) PutBatch(c ctx, items []interfaces.Item) error { return b.putBatch(b.full, c, items) }
func (b broken) Ping(c ctx) error                              { return b.ping(b.full, c) }
func (b broken) Consistency() interfaces.Consistency           { return b.consistency(b.full) }
func (b broken) Close() error                                  { return b.close(b.full) }

func unsupportedInsert(full, ctx, key, entry) (bool, error) { return false, errors.ErrUnsupported }
