// SPDX-License-Identifier: Apache-2.0

package tiers

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// queue is the keys that wait to be written behind. Only keys wait: what is
// under them is read when their turn comes. A key waits once, and is never sent
// by two workers at the same time, so that an older entry cannot overtake a
// newer one.
type queue struct {
	name    string                                     // of the layers it leads to
	send    func(context.Context, interfaces.Key) bool // false: the context was over
	dropped func(interfaces.Key, error)                // told of each key that is not sent
	wait    bool                                       // whether a Put waits for room
	nearest int                                        // place of the nearest layer it leads to

	room chan struct{}       // one element for each key in keys
	keys chan interfaces.Key // as large as room, so that a sender never waits

	mu     sync.Mutex
	jobs   map[interfaces.Key]*job // guarded by mu
	closed bool                    // guarded by mu: keys is closed

	workers sync.WaitGroup
	ctx     context.Context    // of the workers
	cancel  context.CancelFunc // makes the workers give up what is left
	left    atomic.Int64       // keys given up
}

// job is a key that waits or is being sent, guarded by queue.mu.
type job struct {
	sending bool
	again   bool          // it came again while it was being sent
	over    chan struct{} // closed when it is not being sent any more
}

// run starts the workers, which end when the queue is drained.
func (q *queue) run(workers int) {
	ctx := context.WithValue(context.Background(), behindKey{}, true) //nolint:forbidigo // workers outlive every call
	q.ctx, q.cancel = context.WithCancel(ctx)
	for range workers {
		q.workers.Go(func() { q.work(q.ctx) })
	}
}

type behindKey struct{}

// Behind reports whether ctx is that of what a Stack writes behind: no caller
// waits for what is done with it.
func Behind(ctx context.Context) bool { return ctx.Value(behindKey{}) != nil }

// add makes key wait to be sent. If there is no room it is dropped, unless wait
// says to wait for room until the context ends.
func (q *queue) add(ctx context.Context, key interfaces.Key, wait bool) {
	if q.waits(key) {
		return
	}
	err := q.enter(ctx, wait)
	if err == nil {
		err = q.enqueue(key)
	}
	if err != nil {
		q.dropped(key, err)
	}
}

// waits reports whether key waits already, or is made to be sent once more.
func (q *queue) waits(key interfaces.Key) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := q.jobs[key]
	if j != nil {
		j.again = j.sending
	}
	return j != nil
}

// enter takes a place in room.
func (q *queue) enter(ctx context.Context, wait bool) error {
	select {
	case q.room <- struct{}{}:
		return nil
	default:
	}
	if !wait {
		return &cacheerr.QueueFullError{Queue: q.name, Size: cap(q.room)}
	}
	select {
	case q.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enqueue uses a place in room for key, or gives it back.
func (q *queue) enqueue(key interfaces.Key) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := q.jobs[key]
	if j == nil && !q.closed {
		q.jobs[key] = &job{over: make(chan struct{})}
		q.keys <- key
		return nil
	}
	<-q.room
	if j == nil {
		return cacheerr.ErrClosed
	}
	j.again = j.sending
	return nil
}

// forget makes sure that nothing that was under key before is sent after it
// returns, unless the context ends first.
func (q *queue) forget(ctx context.Context, key interfaces.Key) {
	q.mu.Lock()
	j := q.discard(key)
	q.mu.Unlock()
	j.wait(ctx)
}

// forgetAll forgets every key.
func (q *queue) forgetAll(ctx context.Context) {
	var sending []*job
	q.mu.Lock()
	for key := range q.jobs {
		sending = append(sending, q.discard(key))
	}
	q.mu.Unlock()
	for _, j := range sending {
		j.wait(ctx)
	}
}

// discard returns the job of key if it is being sent, and else makes it none:
// whoever takes the key from the queue finds no job. It needs mu.
func (q *queue) discard(key interfaces.Key) *job {
	j := q.jobs[key]
	if j == nil || !j.sending {
		delete(q.jobs, key)
		return nil
	}
	j.again = false
	return j
}

// wait returns when j, which may be nil, is not being sent any more.
func (j *job) wait(ctx context.Context) {
	if j == nil {
		return
	}
	select {
	case <-j.over:
	case <-ctx.Done():
	}
}

func (q *queue) work(ctx context.Context) {
	for key := range q.keys {
		<-q.room
		for more := q.begin(key); more; more = q.end(key, ctx.Err() == nil) {
			if ctx.Err() != nil || !q.send(ctx, key) {
				q.left.Add(1)
				q.dropped(key, ErrNotDrained)
			}
		}
	}
}

// begin reports whether key is to be sent now.
func (q *queue) begin(key interfaces.Key) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := q.jobs[key]
	if j == nil || j.sending {
		return false
	}
	j.sending = true
	return true
}

// end reports whether key is to be sent once more, if that is possible.
func (q *queue) end(key interfaces.Key, possible bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := q.jobs[key]
	if j.again && possible {
		j.again = false
		return true
	}
	delete(q.jobs, key)
	close(j.over)
	return false
}

// drain takes no more keys, waits until all are sent, but no longer than
// timeout, and returns how many were given up then. A worker whose layer does
// not return when its context is over is waited for all the same.
func (q *queue) drain(timeout time.Duration) (left int) {
	q.mu.Lock()
	q.closed = true
	close(q.keys)
	q.mu.Unlock()
	timer := time.AfterFunc(timeout, q.cancel)
	q.workers.Wait()
	timer.Stop()
	q.cancel()
	return int(q.left.Load())
}
