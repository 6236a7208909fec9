// SPDX-License-Identifier: Apache-2.0

package memo

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"strconv"
	"sync"
	"time"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/pause"
)

// leases are by what machines agree which of them runs a function. They save
// work and decide nothing: whose result counts, Insert decides.
//
// The lease for a key is an entry that the holder inserts, and replaces with
// another four times in its length. Who waits looks at it: if it stays the same
// for three quarters of that, by the clock of the one who looks, its holder is
// dead, and the next generation of the lease, an entry under another key, is
// there to be inserted. So a tier needs no time to live, no comparison and no
// Delete, and clocks need not agree. The fourth quarter is what a look may be
// late.
//
// The entry's body is "<owner> <beat>", or nothing once the lease is over.
type leases struct {
	tier      interfaces.Cache
	namespace string
	length    time.Duration
}

// How often who waits looks: soon at first, since most functions are short.
const (
	firstLook = 5 * time.Millisecond
	lastLook  = 250 * time.Millisecond
)

// key returns where the lease for key is kept.
func (l *leases) key(key interfaces.Key, generation uint64) (interfaces.Key, error) {
	space := encoding.Keyspace{Schema: 1, Namespace: l.namespace}
	return space.Key(key[:], binary.LittleEndian.AppendUint64(nil, generation))
}

// acquire waits until the caller holds the lease for key, and returns what lets
// go of it. It waits no longer when arrived says that the lease is not needed
// any more: then nothing is held.
func (l *leases) acquire(ctx context.Context, key interfaces.Key, arrived func() (bool, error)) (release func(), err error) {
	owner := rand.Text()
	for generation := uint64(0); ; {
		at, err := l.key(key, generation)
		if err != nil {
			return nil, err
		}
		inserted, err := interfaces.Insert(ctx, l.tier, at, interfaces.Text(owner+" 0"))
		if err != nil {
			return nil, err
		}
		if inserted {
			return l.hold(ctx, key, generation, owner), nil
		}
		end, err := l.watch(ctx, at, arrived)
		switch {
		case err != nil:
			return nil, err
		case end == notNeeded:
			return func() {}, nil
		case end == over:
			generation++
		default:
			generation = 0 // the holder has ended all of them
		}
	}
}

// ending is how somebody else's lease ended.
type ending int

const (
	notNeeded ending = iota // what it was for has arrived
	vanished                // its entry is gone: there is one to be had
	over                    // its holder let go or died: the next is to be had
)

// watch returns when the lease at a key has ended.
func (l *leases) watch(ctx context.Context, at interfaces.Key, arrived func() (bool, error)) (ending, error) {
	seen, since, patience := "", time.Now(), l.length*3/4
	for look := firstLook; ; look = min(2*look, lastLook, l.length/4) {
		lease, err := read(l.tier.Get(ctx, at))
		switch {
		case missed(err):
			return vanished, nil
		case err != nil:
			return 0, err
		case lease == "":
			return over, nil
		case lease != seen:
			seen, since = lease, time.Now()
		case time.Since(since) >= patience:
			return over, nil
		}
		if ok, err := arrived(); ok || err != nil {
			return notNeeded, err
		}
		if err := pause.For(ctx, min(look, patience-time.Since(since))); err != nil {
			return 0, err
		}
	}
}

// hold keeps the lease of a generation alive until release is called, which
// makes an end of it and of those before.
func (l *leases) hold(ctx context.Context, key interfaces.Key, generation uint64, owner string) (release func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // the caller may be cancelled and must still let go
	if generation > 0 {                                           // who comes from now on need not wait for the dead
		l.write(ctx, key, generation-1, "")
	}
	var beating sync.WaitGroup
	beating.Go(func() {
		for beat := 1; pause.For(ctx, l.length/4) == nil; beat++ {
			l.write(ctx, key, generation, owner+" "+strconv.Itoa(beat))
		}
	})
	return func() {
		cancel()
		beating.Wait()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.length)
		defer cancel()
		for g := range generation + 1 {
			l.end(ctx, key, g)
		}
	}
}

// write replaces a lease. If it fails, others take the holder for dead, or wait
// as long as for a dead one.
func (l *leases) write(ctx context.Context, key interfaces.Key, generation uint64, body string) {
	if at, err := l.key(key, generation); err == nil {
		_ = l.tier.Put(ctx, at, interfaces.Text(body))
	}
}

// end removes a lease, or says that it is over where nothing can be removed.
func (l *leases) end(ctx context.Context, key interfaces.Key, generation uint64) {
	at, err := l.key(key, generation)
	if err == nil && interfaces.Delete(ctx, l.tier, at) != nil {
		l.write(ctx, key, generation, "")
	}
}
