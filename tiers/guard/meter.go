// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"slices"
	"sync"
	"time"
)

// span is a time during which somebody waited, in time since the meter began.
type span struct{ start, end time.Duration }

// clock is spans of time, those that overlap counted once.
type clock struct {
	spans []span // in order, none of which touch
	total time.Duration
}

// overlap returns the place of the spans that touch s and how long they are.
func (c *clock) overlap(s span) (from, to int, length time.Duration) {
	for to = len(c.spans); to > 0 && c.spans[to-1].start > s.end; {
		to--
	}
	for from = to; from > 0 && c.spans[from-1].end >= s.start; {
		from--
		length += c.spans[from].end - c.spans[from].start
	}
	return from, to, length
}

// add adds s and returns by how much the total grew.
func (c *clock) add(s span) (more time.Duration) {
	from, to, length := c.overlap(s)
	if from < to {
		s.start, s.end = min(s.start, c.spans[from].start), max(s.end, c.spans[to-1].end)
	}
	c.spans = slices.Replace(c.spans, from, to, s)
	more = s.end - s.start - length
	c.total += more
	return more
}

// with returns what the total would be with s.
func (c *clock) with(s span) time.Duration {
	from, to, length := c.overlap(s)
	if from < to {
		s.start, s.end = min(s.start, c.spans[from].start), max(s.end, c.spans[to-1].end)
	}
	return c.total + s.end - s.start - length
}

// forget forgets where the spans were that end before a time: none that is added
// later begins before it.
func (c *clock) forget(before time.Duration) {
	n := 0
	for n < len(c.spans) && c.spans[n].end < before {
		n++
	}
	c.spans = c.spans[n:]
}

// meter measures for how long callers wait, on the clock.
type meter struct {
	began  time.Time
	opts   Options
	mu     sync.Mutex
	all    clock   // guarded by mu
	vain   clock   // guarded by mu: what no hit came from
	active []*wait // guarded by mu
	used   bool    // guarded by mu: the budget was used up, and not enough has come back

	// Guarded by mu.
	makers  int           // 0: a hit is worth any time
	saved   time.Duration // what the hits' entries took to make
	dear    time.Duration // by how much waiting for hits was longer than making them
	charged time.Duration // what was waited in vain before the meter began
	before  time.Duration // how long the build was under way then
}

// wait is the wait of one operation, which may be interrupted while the caller
// itself is busy. A nil wait is not measured.
type wait struct {
	first   time.Duration // when the operation began
	start   time.Duration // when this part of the wait did
	running bool
	parts   []span
}

// near is how close two parts of a wait are that count as one.
const near = time.Millisecond

func newMeter(opts Options) *meter { return &meter{began: time.Now(), opts: opts} }

func (m *meter) now() time.Duration { return time.Since(m.began) }

// totals returns the time waited in vain, and all in all.
func (m *meter) totals() (vain, all time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.vain.total + m.dear, m.all.total
}

// begin begins a wait, or returns nil if nobody may wait any more. Once that is
// so, it stays so until there is time for a whole operation.
func (m *meter) begin() *wait {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	rest := m.rest(now)
	if m.used = rest <= 0 || m.used && rest < m.opts.Timeout; m.used {
		return nil
	}
	w := &wait{first: now, start: now, running: true}
	m.active = append(m.active, w)
	return w
}

// resume goes on with a wait.
func (m *meter) resume(w *wait) {
	if w == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	w.start, w.running = m.now(), true
}

// pause interrupts a wait and returns by how much the time waited has grown.
func (m *meter) pause(w *wait) (more time.Duration) {
	if w == nil {
		return 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stop(w)
}

// stop needs mu.
func (m *meter) stop(w *wait) (more time.Duration) {
	if !w.running {
		return 0
	}
	w.running = false
	part := span{w.start, m.now()}
	if n := len(w.parts); n > 0 && part.start-w.parts[n-1].end < near {
		w.parts[n-1].end = part.end
	} else {
		w.parts = append(w.parts, part)
	}
	return m.all.add(part)
}

// charge counts what was before the meter began.
func (m *meter) charge(vain, age time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.charged += max(0, vain)
	m.before += max(0, age)
}

// compare has hits be compared with making their entries.
func (m *meter) compare(makers int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.makers = makers
}

// hit counts what a hit saves.
func (m *meter) hit(cost time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saved += max(0, cost)
}

// grow returns by how much waiting for hits has become dearer.
func (m *meter) grow() (more time.Duration) {
	if m.makers <= 0 {
		return 0
	}
	more = max(0, m.all.total-m.vain.total-m.saved/time.Duration(m.makers)-m.dear)
	m.dear += more
	return more
}

// end ends a wait that was in vain or not, and returns by how much the time
// waited has grown, and that in vain.
func (m *meter) end(w *wait, inVain bool) (more, vain time.Duration) {
	if w == nil {
		return 0, 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	more = m.stop(w)
	m.active = slices.DeleteFunc(m.active, func(other *wait) bool { return other == w })
	if inVain {
		for _, part := range w.parts {
			vain += m.vain.add(part)
		}
	}
	vain += m.grow()
	oldest := w.parts[len(w.parts)-1].end
	for _, other := range m.active {
		oldest = min(oldest, other.first)
	}
	m.all.forget(oldest)
	m.vain.forget(oldest)
	return more, vain
}

// left returns how much longer callers may wait in vain, if nothing comes of the
// waits under way either.
func (m *meter) left() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rest(m.now())
}

// rest needs mu.
func (m *meter) rest(now time.Duration) time.Duration {
	oldest := now
	for _, w := range m.active {
		if w.running {
			oldest = min(oldest, w.start)
		}
	}
	share := max(0, m.opts.BudgetShare) * float64(m.before+now)
	return max(m.opts.Budget, time.Duration(share)) - m.charged - m.dear - m.vain.with(span{oldest, now})
}
