// SPDX-License-Identifier: Apache-2.0

package cachetest

import (
	"errors"
	"fmt"
	"slices"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// step is one line of a script: what it does, and the check. A check returns
// what is wrong; a miss that says a cache forgot ends the script.
type step struct {
	what string
	do   func(*subject) error
}

// play does the steps in order; the first that fails is named with its place.
func (s *subject) play(steps ...step) {
	s.Helper()
	for i, step := range steps {
		err := step.do(s)
		if s.forgot(err) {
			s.Logf("step %d, %s: forgotten, which ends the script", i+1, step.what)
			return
		}
		if err != nil {
			s.Fatalf("step %d, %s: %v", i+1, step.what, err)
		}
	}
}

func opPut(name, body string) step {
	return step{fmt.Sprintf("put %s=%q", name, body), func(s *subject) error {
		return s.cache.Put(s.Context(), named(name), interfaces.Text(body))
	}}
}

func opGet(name, body string) step {
	return step{fmt.Sprintf("get %s=%q", name, body), func(s *subject) error {
		got, _, err := s.read(named(name))
		if err == nil && got != body {
			err = fmt.Errorf("got %s", brief(got))
		}
		return err
	}}
}

func opMiss(name string) step {
	return step{fmt.Sprintf("miss %s", name), func(s *subject) error {
		got, _, err := s.read(named(name))
		switch {
		case err == nil:
			return fmt.Errorf("got %s", brief(got))
		case !errors.Is(err, cacheerr.ErrMiss):
			return err
		}
		return nil
	}}
}

func opInsert(name, body string, want bool) step {
	return step{fmt.Sprintf("insert %s=%q says %t", name, body, want), func(s *subject) error {
		got, err := interfaces.Insert(s.Context(), s.cache, named(name), interfaces.Text(body))
		switch {
		case err != nil:
			return err
		case got && !want && s.cfg.MayForget:
			return cacheerr.ErrMiss
		case got != want:
			return fmt.Errorf("it says %t", got)
		}
		return nil
	}}
}

func opDelete(name string) step {
	return step{fmt.Sprintf("delete %s", name), func(s *subject) error {
		return interfaces.Delete(s.Context(), s.cache, named(name))
	}}
}

func opDeleteAbsent(name string) step {
	return step{fmt.Sprintf("delete absent %s", name), func(s *subject) error {
		err := interfaces.Delete(s.Context(), s.cache, named(name))
		if !errors.Is(err, cacheerr.ErrMiss) {
			return fmt.Errorf("error %v, want a miss", err)
		}
		return nil
	}}
}

func opClear() step {
	return step{"clear", func(s *subject) error { return interfaces.Clear(s.Context(), s.cache) }}
}

// opLen checks how many entries there are; a cache that may forget has fewer.
func opLen(want int) step {
	return step{fmt.Sprintf("len %d", want), func(s *subject) error {
		got, err := interfaces.Len(s.Context(), s.cache)
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			s.Log("Len is not supported")
			return nil
		case err != nil:
			return err
		case got > want || got < want && !s.cfg.MayForget:
			return fmt.Errorf("%d entries", got)
		}
		return nil
	}}
}

// opList checks which entries there are; a cache that may forget has fewer.
func opList(names ...string) step {
	return step{fmt.Sprintf("list %v", names), func(s *subject) error {
		listed, err := keys(s.Context(), s.cache)
		if errors.Is(err, errors.ErrUnsupported) {
			s.Log("List is not supported")
			return nil
		}
		if err != nil {
			return err
		}
		if once := slices.Compact(slices.Clone(listed)); len(once) != len(listed) {
			return fmt.Errorf("%d keys, of which %d are listed before", len(listed), len(listed)-len(once))
		}
		found := 0
		for _, name := range names {
			if slices.Contains(listed, named(name)) {
				found++
			}
		}
		if found != len(listed) || found != len(names) && !s.cfg.MayForget {
			return fmt.Errorf("%d keys, of which %d are right", len(listed), found)
		}
		return nil
	}}
}
