// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// Sources is where a configuration comes from. The zero value is this process:
// its environment and its user's directories, and no flags.
type Sources struct {
	// Flags of the command; they win.
	Flags Flags
	// Environ has "NAME=value" of each environment variable; nil means
	// [os.Environ].
	Environ []string
	// UserConfigDir returns the directory below which the user's own file is
	// looked for; nil means [os.UserConfigDir].
	UserConfigDir func() (string, error)
	// UserCacheDir returns the directory below which the cache is unless
	// something says where; nil means [os.UserCacheDir].
	UserCacheDir func() (string, error)
}

// Flags is what a command was told on its command line. An empty text was not
// given.
type Flags struct {
	Config         string // --config: a file, or "auto", or "none"
	Dir            string // --dir
	MaxBytes       string // --max-bytes
	MemoryMaxBytes string // --memory-max-bytes

	// Of those that record: see [Record].
	Mode        string   // --mode
	Tier        string   // --tier
	Lease       string   // --lease
	Prepopulate []string // --prepopulate, one each
	Dump        string   // --dump
}

// setting is what both a variable and a flag can say.
type setting int

const (
	settingConfig setting = iota
	settingDir
	settingMaxBytes
	settingMemoryMaxBytes
	settingRedisURL // only a variable: a command line is for all to see
	settingMode
	settingTier
	settingLease
	settingPrepopulate
	settingDump
	settings
)

var (
	variables = [settings]string{
		"TIERCE_CONFIG", "TIERCE_DIR", "TIERCE_MAX_BYTES", "TIERCE_MEMORY_MAX_BYTES", "TIERCE_REDIS_URL",
		"TIERCE_DETERMINISTIC_MODE", "TIERCE_DETERMINISTIC_TIER", "TIERCE_DETERMINISTIC_LEASE",
		"TIERCE_DETERMINISTIC_PREPOPULATE", "TIERCE_DETERMINISTIC_DUMP",
	}
	flags = [settings]string{
		"--config", "--dir", "--max-bytes", "--memory-max-bytes", "",
		"--mode", "--tier", "--lease", "--prepopulate", "--dump",
	}
	// switches are variables of package memo, which reads them itself.
	switches = [...]string{"TIERCE_MEMO", "TIERCE_DETERMINISTIC"}
	// internal variables are set by the command for processes that it starts.
	internal = [...]string{"TIERCE_REPORT", "TIERCE_BUILD"}
)

// complete returns s with what nil stands for.
func (s Sources) complete() Sources {
	if s.Environ == nil {
		s.Environ = os.Environ()
	}
	if s.UserConfigDir == nil {
		s.UserConfigDir = os.UserConfigDir
	}
	if s.UserCacheDir == nil {
		s.UserCacheDir = os.UserCacheDir
	}
	return s
}

// settings returns what variables and flags say; flags win.
func (s Sources) settings() ([settings]node, error) {
	var given [settings]node
	for _, entry := range s.Environ {
		name, value, _ := strings.Cut(entry, "=")
		if runtime.GOOS == "windows" {
			name = strings.ToUpper(name) // the system does not tell them apart
		}
		if !strings.HasPrefix(name, "TIERCE_") {
			continue
		}
		switch i := slices.Index(variables[:], name); {
		case i < 0:
			if err := foreign(name, value); err != nil {
				return given, err
			}
		case value == "":
		case setting(i) == settingPrepopulate:
			given[i] = pathsAt(name, filepath.SplitList(value))
		default:
			given[i] = textAt(name, value)
		}
	}
	f := s.Flags
	for i, value := range [settings]string{f.Config, f.Dir, f.MaxBytes, f.MemoryMaxBytes, "", f.Mode, f.Tier, f.Lease, "", f.Dump} {
		if value != "" {
			given[i] = textAt(flags[i], value)
		}
	}
	if len(f.Prepopulate) > 0 {
		given[settingPrepopulate] = pathsAt(flags[settingPrepopulate], f.Prepopulate)
	}
	return given, nil
}

// textAt returns the text that a variable or flag has.
func textAt(source, value string) node {
	return node{place: place{source: source}, kind: text, text: value}
}

// pathsAt returns the list of paths that a variable or flag has.
func pathsAt(source string, paths []string) node {
	n := node{place: place{source: source}, kind: list}
	for _, path := range paths {
		n.items = append(n.items, textAt(source, path))
	}
	return n
}

// foreign returns what is wrong with a variable that is no setting: nobody
// else's, or a switch that is neither on nor off.
func foreign(name, value string) error {
	if slices.Contains(internal[:], name) {
		return nil
	}
	if !slices.Contains(switches[:], name) {
		return &Error{Source: name, Problem: "unknown variable; " + suggest(name, append(variables[:], switches[:]...))}
	}
	if _, err := strconv.ParseBool(value); err != nil && value != "" {
		return &Error{Source: name, Problem: strconv.Quote(cacheerr.Shorten(value)) + " says neither; set it to 1 or 0"}
	}
	return nil
}

// lookup returns a variable of environ, as [os.LookupEnv] does.
func lookup(environ []string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, entry := range slices.Backward(environ) { // of two, the last counts
			if n, value, ok := strings.Cut(entry, "="); ok && n == name {
				return value, true
			}
		}
		return "", false
	}
}

// dir returns the directory of the cache: what a source says, which is given,
// or the default.
func (s Sources) dir(given Path) (string, error) {
	if given != "" {
		return string(given), nil
	}
	base, err := s.UserCacheDir()
	if err != nil {
		return "", &Error{
			Problem: ErrNoDirectory.Error() + ": " + err.Error() + "; set TIERCE_DIR (or --dir) to one that you may write to",
			Err:     errors.Join(ErrNoDirectory, err),
		}
	}
	return filepath.Join(base, "tierce"), nil
}
