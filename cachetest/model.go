// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing/iotest"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// model is a run of random operations and the map that knows what each must
// answer.
type model struct {
	*subject
	random *rand.Rand
	want   map[interfaces.Key]string
}

// testModel does random operations on few keys and compares every answer. The
// seed is in the log; Config.Seed repeats a run.
func testModel(s *subject) {
	seed := s.cfg.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	s.Logf("seed %d", seed)
	m := &model{s, rand.New(rand.NewPCG(seed, 0)), make(map[interfaces.Key]string)}
	operations := []struct {
		name   string
		weight int
		do     func() error
	}{
		{"Get", 30, m.get}, {"Put", 30, m.put}, {"failing Put", 5, m.failingPut}, {"Insert", 10, m.insert},
		{"Delete", 10, m.delete}, {"Stat", 10, m.stat}, {"PutBatch", 4, m.putBatch}, {"GetBatch", 4, m.getBatch},
		{"Len", 4, m.len}, {"List", 4, m.list}, {"Clear", 1, m.clear},
	}
	var wheel []int
	for i, op := range operations {
		for range op.weight {
			wheel = append(wheel, i)
		}
	}
	for i := range 500 {
		op := operations[wheel[m.random.IntN(len(wheel))]]
		if err := op.do(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			s.Fatalf("operation %d of seed %d, %s: %v", i, seed, op.name, err)
		}
	}
}

func (m *model) key() interfaces.Key { return named(fmt.Sprint("key ", m.random.IntN(8))) }

func (m *model) body() string {
	sizes := []int64{0, 1, 100, 5000, m.upTo(70_000)}
	return patternText(m.random.Uint64(), sizes[m.random.IntN(len(sizes))])
}

func (m *model) entry(body string) interfaces.Entry {
	return readersOf(m.random.IntN(len(readers()))).make(body)
}

// answer compares an answer for key with the map, and err with a miss.
func (m *model) answer(key interfaces.Key, same func(want string) bool, err error) error {
	want, present := m.want[key]
	switch {
	case errors.Is(err, cacheerr.ErrMiss):
		if present && !m.cfg.MayForget {
			return fmt.Errorf("key %s: a miss, want %s", key.Short(), brief(want))
		}
		return nil
	case err != nil:
		return fmt.Errorf("key %s: %w", key.Short(), err)
	case !present:
		return fmt.Errorf("key %s: a hit, want a miss", key.Short())
	case !same(want):
		return fmt.Errorf("key %s: another body, want %s", key.Short(), brief(want))
	}
	return nil
}

func (m *model) get() error {
	key := m.key()
	got, _, err := m.read(key)
	return m.answer(key, func(want string) bool { return got == want }, err)
}

func (m *model) stat() error {
	key := m.key()
	head, err := interfaces.Stat(m.Context(), m.cache, key)
	return m.answer(key, func(want string) bool { return head.Size == int64(len(want)) }, err)
}

func (m *model) put() error {
	key, body := m.key(), m.body()
	m.want[key] = body
	return m.cache.Put(m.Context(), key, m.entry(body))
}

func (m *model) failingPut() error {
	err := m.cache.Put(m.Context(), m.key(), interfaces.Stream(iotest.TimeoutReader(pattern(1, 9000)), 9000))
	if !errors.Is(err, iotest.ErrTimeout) {
		return fmt.Errorf("error %v, want the body's", err)
	}
	return nil
}

func (m *model) insert() error {
	key, body := m.key(), m.body()
	_, present := m.want[key]
	inserted, err := interfaces.Insert(m.Context(), m.cache, key, m.entry(body))
	switch {
	case err != nil:
		return err
	case inserted && present && !m.cfg.MayForget, !inserted && !present:
		return fmt.Errorf("key %s: inserted is %t, but presence was %t", key.Short(), inserted, present)
	case inserted:
		m.want[key] = body
	}
	return nil
}

func (m *model) delete() error {
	key := m.key()
	err := interfaces.Delete(m.Context(), m.cache, key)
	if errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	err = m.answer(key, func(string) bool { return true }, err)
	delete(m.want, key)
	return err
}

func (m *model) putBatch() error {
	var items []interfaces.Item
	for range m.random.IntN(4) {
		key, body := m.key(), m.body()
		items = append(items, interfaces.Item{Key: key, Entry: m.entry(body)})
		m.want[key] = body
	}
	return interfaces.PutBatch(m.Context(), m.cache, items)
}

func (m *model) getBatch() error {
	keys := []interfaces.Key{m.key(), m.key(), m.key()}
	return interfaces.GetBatch(m.Context(), m.cache, keys, func(i int, entry interfaces.Entry, err error) error {
		var got string
		if err == nil {
			m.hits.Add(1)
			if got, err = drain(keys[i], entry); err != nil {
				return err
			}
		}
		return m.answer(keys[i], func(want string) bool { return got == want }, err)
	})
}

func (m *model) len() error {
	n, err := interfaces.Len(m.Context(), m.cache)
	if err == nil && (n > len(m.want) || n < len(m.want) && !m.cfg.MayForget) {
		return fmt.Errorf("%d, want %d", n, len(m.want))
	}
	return err
}

func (m *model) list() error {
	listed, err := keys(m.Context(), m.cache)
	if err == nil && len(listed) != len(m.want) && !m.cfg.MayForget {
		return fmt.Errorf("%d keys, want %d", len(listed), len(m.want))
	}
	for _, key := range listed {
		if _, present := m.want[key]; !present {
			return fmt.Errorf("key %s is listed and absent", key.Short())
		}
	}
	return err
}

func (m *model) clear() error {
	err := interfaces.Clear(m.Context(), m.cache)
	if err == nil {
		clear(m.want)
	}
	return err
}
