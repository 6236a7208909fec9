// SPDX-License-Identifier: Apache-2.0

package memo

import (
	"fmt"
	"os"
	"strconv"
)

// The variables of switches that name none.
const (
	variable              = "TIERCE_MEMO"
	deterministicVariable = "TIERCE_DETERMINISTIC"
)

// Switch decides whether a feature is on: by an environment variable; else by
// the version that is rolled out; else it is on, or off if DefaultOff is set.
type Switch struct {
	// Variable is the environment variable that decides if it is set and not
	// empty: 1, true, 0, false and what else [strconv.ParseBool] takes.
	Variable string
	// Rollout returns the version that is rolled out, from wherever that is
	// kept: the feature is on if Version is at least that. 0 and an error mean
	// off. Nil means that nothing is rolled out.
	Rollout func() (int, error)
	// Version is the version of the feature in this program.
	Version int
	// DefaultOff is for a feature that is to be asked for.
	DefaultOff bool
}

func (s Switch) named(variable string) Switch {
	if s.Variable == "" {
		s.Variable = variable
	}
	return s
}

// On reports whether the feature is on. A variable that says neither is an
// error. Recorders ask once, when they are made.
func (s Switch) On() (bool, error) {
	if text := os.Getenv(s.Variable); s.Variable != "" && text != "" {
		on, err := strconv.ParseBool(text)
		if err != nil {
			return false, fmt.Errorf("memo: %s is %q; set it to 1 or 0", s.Variable, text)
		}
		return on, nil
	}
	if s.Rollout != nil {
		version, err := s.Rollout()
		return err == nil && version != 0 && s.Version >= version, nil //nolint:nilerr // a failing source means off
	}
	return !s.DefaultOff, nil
}
