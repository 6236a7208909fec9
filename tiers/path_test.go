// SPDX-License-Identifier: Apache-2.0

package tiers_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tiercecache/tierce/cachetest"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

// disk is a fake whose bodies are files.
type disk struct{ *fake }

func (d disk) Path(ctx context.Context, key interfaces.Key) (string, int64, error) {
	path, size, err := d.full.Path(ctx, key)
	if d.afterGet != nil {
		d.afterGet()
	}
	return path, size, err
}

// paths is a stack as of memory, disk and remote.
type paths struct {
	*tiers.Stack
	memory, disk, remote *fake
	events               *events
}

func newPaths(t *testing.T, change ...func([]tiers.Layer)) *paths {
	t.Helper()
	p := &paths{memory: newFake(t), disk: newFake(t), remote: newFar(t), events: &events{}}
	layers := []tiers.Layer{{Name: "memory", Tier: p.memory}, {Name: "disk", Tier: disk{p.disk}}, {Name: "remote", Tier: p.remote}}
	for _, change := range change {
		change(layers)
	}
	p.Stack = newStack(t, tiers.Options{Observer: p.events}, layers...)
	return p
}

// wantPath fails the test unless Path answers with a file of body.
func wantPath(t *testing.T, c interfaces.Cache, key interfaces.Key, body string) {
	t.Helper()
	path, size, err := interfaces.Path(t.Context(), c, key)
	if err != nil || size != int64(len(body)) {
		t.Errorf("Path: %d bytes and error %v, want %d", size, err, len(body))
		return
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != body {
		t.Errorf("Path: a file of %q (error %v), want %q", got, err, body)
	}
}

func TestPath(t *testing.T) {
	t.Run("a file is found at once", testPathAtOnce)
	t.Run("what a nearer layer has gets a file", testPathOfNearer)
	t.Run("what a farther layer has gets a file", testPathOfFarther)
	t.Run("it fails as Get does", testPathFails)
	t.Run("damage is mended from a farther layer", testPathMendsDamage)
	t.Run("a miss if no layer with files takes it", testPathNobodyTakes)
	t.Run("a layer that refuses is not ill", testPathRefused)
	t.Run("half of a body goes to nobody", testPathHalfABody)
	t.Run("the next layer with files takes what one refuses", testPathNextTakes)
	t.Run("no files, no paths", testPathWithoutFiles)
	t.Run("a stack without files before a disk", testPathStackBeforeDisk)
}

func testPathAtOnce(t *testing.T) {
	key := keyOf("key")
	p := newPaths(t)
	put(t, p.memory, key, "body")
	put(t, p.disk, key, "body")
	wantPath(t, p, key, "body")
	p.events.want(t, "disk path hit", "stack path hit")
	if n := p.memory.gets.Load() + p.remote.gets.Load(); n != 0 {
		t.Errorf("other layers were asked %d times", n)
	}
}

func testPathOfNearer(t *testing.T) {
	key := keyOf("key")
	p := newPaths(t)
	put(t, p.memory, key, "body")
	wantPath(t, p, key, "body")
	p.events.want(t, "disk path miss absent", "memory path hit", "disk path promoted", "stack path hit")
	want(t, p.disk, key, "body")
}

func testPathOfFarther(t *testing.T) {
	key, long := keyOf("key"), strings.Repeat("long ", 1000)
	p := newPaths(t)
	put(t, p.remote, key, long)
	wantPath(t, p, key, long)
	wantPath(t, p, key, long)
	if n := p.remote.gets.Load(); n != 1 {
		t.Errorf("the remote was asked %d times, want once", n)
	}
}

func testPathFails(t *testing.T) {
	key := keyOf("key")
	p := newPaths(t)
	_, _, err := p.Path(t.Context(), key)
	if !same(err, cacheerr.ErrMiss) {
		t.Errorf("Path of an absent key: error %v, want the bare cacheerr.ErrMiss", err)
	}
	p.events.want(t, "disk path miss absent", "memory path miss absent", "remote path miss absent", "stack path miss absent")
	put(t, p.disk, key, "body")
	p.disk.full.Damage(key)
	if _, _, err = p.Path(t.Context(), key); !errors.Is(err, cacheerr.ErrDamaged) {
		t.Errorf("Path of a damaged entry: error %v, want cacheerr.ErrDamaged", err)
	}
}

func testPathMendsDamage(t *testing.T) {
	key, long := keyOf("key"), strings.Repeat("long ", 1000)
	p := newPaths(t)
	put(t, p, key, long)
	p.disk.full.Damage(key)
	if err := p.memory.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	p.events.lines()
	wantPath(t, p, key, long)
	p.events.want(t, "disk path miss damaged", "memory path miss absent", "remote path hit", "disk path promoted", "stack path hit")
}

func testPathNobodyTakes(t *testing.T) {
	key := keyOf("key")
	for name, change := range map[string]func([]tiers.Layer){
		"read-only": func(l []tiers.Layer) { l[1].ReadOnly = true },
		"too small": func(l []tiers.Layer) { l[1].MaxBody = 3 },
	} {
		p := newPaths(t, change)
		put(t, p.remote, key, "body")
		if _, _, err := p.Path(t.Context(), key); !same(err, cacheerr.ErrMiss) {
			t.Errorf("%s: error %v, want the bare cacheerr.ErrMiss", name, err)
		}
	}
	p := newPaths(t)
	put(t, p.remote, key, "body")
	p.disk.onPut = spoil
	if _, _, err := p.Path(t.Context(), key); !same(err, cacheerr.ErrMiss) {
		t.Errorf("ill: error %v, want the bare cacheerr.ErrMiss", err)
	}
	p.events.want(t, "disk path miss absent", "memory path miss absent", "remote path hit", "disk path failed", "stack path miss ill tier")
}

func testPathRefused(t *testing.T) {
	key := keyOf("key")
	p := newPaths(t)
	put(t, p.remote, key, "body")
	p.disk.onPut = func(context.Context, interfaces.Key, interfaces.Entry) error {
		return &cacheerr.EntryTooLargeError{Requested: 4, Available: 3}
	}
	if _, _, err := p.Path(t.Context(), key); !same(err, cacheerr.ErrMiss) {
		t.Errorf("Path: error %v, want the bare cacheerr.ErrMiss", err)
	}
	if got := p.events.linesOf("stack"); !slices.Equal(got, []string{"stack path miss absent"}) {
		t.Errorf("events %q, want a miss of an absent entry", got)
	}
}

func testPathHalfABody(t *testing.T) {
	key := keyOf("key")
	first, second, remote := newFake(t), newFake(t), newFar(t)
	s := newStack(t, tiers.Options{}, tiers.Layer{Name: "first", Tier: disk{first}},
		tiers.Layer{Name: "second", Tier: disk{second}}, tiers.Layer{Name: "remote", Tier: remote})
	first.onPut = spoil
	put(t, remote, key, large)
	if _, _, err := s.Path(t.Context(), key); !same(err, cacheerr.ErrMiss) {
		t.Errorf("Path: error %v, want the bare cacheerr.ErrMiss", err)
	}
	if n := second.puts.Load(); n != 0 {
		t.Errorf("%d puts of half a body", n)
	}
}

func testPathNextTakes(t *testing.T) {
	key := keyOf("key")
	first, second, remote := newFake(t), newFake(t), newFar(t)
	s := newStack(t, tiers.Options{}, tiers.Layer{Name: "first", Tier: disk{first}},
		tiers.Layer{Name: "second", Tier: disk{second}}, tiers.Layer{Name: "remote", Tier: remote})
	first.onPut = refuse
	put(t, remote, key, "body")
	wantPath(t, s, key, "body")
	want(t, second, key, "body")
}

func testPathWithoutFiles(t *testing.T) {
	key := keyOf("key")
	inner := newStack(t, tiers.Options{}, tiers.Layer{Name: "memory", Tier: newFake(t)})
	s := newStack(t, tiers.Options{}, tiers.Layer{Name: "stack", Tier: inner})
	put(t, s, key, "body")
	if _, _, err := s.Path(t.Context(), key); !same(err, errors.ErrUnsupported) {
		t.Errorf("Path: error %v, want errors.ErrUnsupported", err)
	}
	if _, _, err := s.PutPath(t.Context(), key, interfaces.Text("body")); !same(err, errors.ErrUnsupported) {
		t.Errorf("PutPath: error %v, want errors.ErrUnsupported", err)
	}
}

func testPathStackBeforeDisk(t *testing.T) {
	key := keyOf("key")
	inner := newStack(t, tiers.Options{}, tiers.Layer{Name: "memory", Tier: newFake(t)})
	s := newStack(t, tiers.Options{}, tiers.Layer{Name: "stack", Tier: inner}, tiers.Layer{Name: "disk", Tier: cachetest.NewFull(t)})
	put(t, inner, key, "body")
	wantPath(t, s, key, "body")
}

func TestPutPath(t *testing.T) {
	p, key := newPaths(t), keyOf("key")
	path, size, err := p.PutPath(t.Context(), key, stream("body"))
	if err != nil || size != 4 {
		t.Fatalf("PutPath: %d bytes and error %v, want 4", size, err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "body" {
		t.Errorf("PutPath: a file of %q (error %v)", got, err)
	}
	p.events.want(t, "memory put stored", "disk put stored", "remote put stored", "stack put stored", "disk put hit")
	p.memory.onPut, p.disk.onPut, p.remote.onPut = refuse, refuse, refuse
	if _, _, err := p.PutPath(t.Context(), keyOf("other"), stream("body")); !errors.Is(err, errIll) {
		t.Errorf("PutPath that no layer takes: error %v, want what Put returns", err)
	}
}

// TestPathSingleFlight has a hundred callers of Path and of Get want one key.
func TestPathSingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, key := newPaths(t), keyOf("key")
		put(t, p.remote, key, "body")
		held := p.remote.holdGets()
		for range 100 {
			go wantPath(t, p, key, "body")
			go want(t, p, key, "body")
		}
		held.open()
		synctest.Wait()
		// Path copies to the disk and Get to memory too, from the disk by then.
		if n := p.remote.gets.Load(); n != 1 {
			t.Errorf("R15 the remote was asked %d times, want once", n)
		}
	})
}

// TestPathMissIsShared has a hundred callers want what nobody has.
func TestPathMissIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPaths(t)
		held := p.remote.holdGets()
		for range 100 {
			go func() {
				if _, _, err := p.Path(t.Context(), keyOf("absent")); !same(err, cacheerr.ErrMiss) {
					t.Errorf("Path: error %v, want the bare cacheerr.ErrMiss", err)
				}
			}()
		}
		held.open()
		synctest.Wait()
		if n := p.remote.gets.Load(); n != 1 {
			t.Errorf("the remote was asked %d times, want once", n)
		}
	})
}

// TestPathWaiterGivesUp has one of many callers give up.
func TestPathWaiterGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, key := newPaths(t), keyOf("key")
		put(t, p.remote, key, "body")
		held := p.remote.holdGets()
		for range 10 {
			go wantPath(t, p, key, "body")
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			if _, _, err := p.Path(ctx, key); !same(err, context.Canceled) {
				t.Errorf("Path whose context ends: error %v, want context.Canceled", err)
			}
		}()
		synctest.Wait()
		cancel()
		held.open()
		synctest.Wait()
	})
}

// TestPathLateCaller is TestLateCaller for Path.
func TestPathLateCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, key := newPaths(t), keyOf("key")
		put(t, p.remote, key, "body")
		late := p.disk.holdAnswer()
		go wantPath(t, p, key, "body")
		synctest.Wait()
		wantPath(t, p, key, "body")
		late.open()
		synctest.Wait()
		if n := p.remote.gets.Load(); n != 1 {
			t.Errorf("the remote was asked %d times, want once", n)
		}
	})
}

// TestPathDoesNotOutlive is about a Path that copies an entry when it is
// removed or replaced: the file is gone, or that of the new one.
func TestPathDoesNotOutlive(t *testing.T) {
	key := keyOf("key")
	for name, hold := range map[string]func(p *paths, held gate){
		"after its fetch": func(p *paths, held gate) { p.remote.afterGet = held.pass },
		"while it copies": func(p *paths, held gate) {
			p.disk.onPut = func(context.Context, interfaces.Key, interfaces.Entry) error {
				if p.disk.puts.Load() == 1 {
					held.pass()
				}
				return nil
			}
		},
	} {
		for _, body := range []string{"", "new"} {
			t.Run(name+" "+body, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := newPaths(t)
					put(t, p.remote, key, "old")
					held := make(gate)
					hold(p, held)
					go func() {
						path, _, err := p.Path(t.Context(), key)
						got, _ := os.ReadFile(path)
						if body == "" && !same(err, cacheerr.ErrMiss) || body != "" && string(got) != body {
							t.Errorf("Path: %q and error %v, want %q", got, err, body)
						}
					}()
					synctest.Wait()
					go func() {
						if body != "" {
							put(t, p, key, body)
						} else if err := p.Delete(t.Context(), key); err != nil {
							t.Errorf("Delete: %v", err)
						}
					}()
					held.open()
					synctest.Wait()
					for _, f := range []*fake{p.memory, p.disk, p.remote} {
						if got, err := read(t, f.full, key); err == nil && got != body {
							t.Errorf("a layer has %q, want %q", got, body)
						}
					}
				})
			})
		}
	}
}
