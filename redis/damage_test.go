// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/encoding/frame"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/redis"
)

var key, other = encoding.RawKey([]byte("key")), encoding.RawKey([]byte("other"))

// forged returns a frame that claims what a head is ready to claim.
func forged(codec byte, size int64, payload string) string {
	lie, _ := frame.AppendApart(nil, key, interfaces.Head{Size: size}, []byte(payload))
	lie[1] = codec
	return string(lie)
}

func body(t testing.TB, c interfaces.Cache, key interfaces.Key) (string, error) {
	t.Helper()
	entry, err := c.Get(t.Context(), key)
	if err != nil {
		return "", err
	}
	b, err := entry.Bytes()
	return string(b), errors.Join(err, entry.Close())
}

func put(t testing.TB, c interfaces.Cache, key interfaces.Key, text string) {
	t.Helper()
	if err := c.Put(t.Context(), key, interfaces.Text(text)); err != nil {
		t.Fatal(err)
	}
}

// TestLies: whatever is under a name, it is a miss with a reason, goes away and
// can be put again.
func TestLies(t *testing.T) {
	opts := alone(single(t))
	c, server := open(t, opts), behind(t, opts)
	put(t, c, key, "body")
	put(t, c, other, "another body")
	whole, swapped := server.value(server.name(key)), server.value(server.name(other))
	zip, _ := zstd.NewWriter(nil)
	bomb := string(zip.EncodeAll(make([]byte, 256<<20), nil))
	flipped := []byte(whole)
	flipped[len(flipped)-1] ^= 0x80
	set := func(value string) func() { return func() { server.set(server.name(key), value) } }
	for name, lie := range map[string]func(){
		"truncated":                    set(whole[:len(whole)-1]),
		"truncated in its head":        set(whole[:30]),
		"a bit flipped":                set(string(flipped)),
		"swapped with another key's":   set(swapped),
		"longer":                       set(whole + "x"),
		"garbage":                      set("\x00garbage"),
		"1 TiB, raw":                   set(forged(0, 1<<40, "body")),
		"1 TiB, compressed":            set(forged(1, 1<<40, "body")),
		"1 TiB in chunks":              set(forged(2, 1<<40, strings.Repeat("g", 16)+"\x00\x00\x20\x00")),
		"1 TiB in chunks of a byte":    set(forged(2, 1<<40, strings.Repeat("g", 16)+"\x01\x00\x00\x00")),
		"chunks of nothing":            set(forged(2, 1<<40, strings.Repeat("g", 16)+"\x00\x00\x00\x00")),
		"chunks of 4 GiB":              set(forged(2, 1<<40, strings.Repeat("g", 16)+"\xff\xff\xff\xff")),
		"chunks without a name":        set(forged(2, 1<<40, "")),
		"a bomb":                       set(forged(1, 256<<20, bomb)),
		"a bomb that claims little":    set(forged(1, 1000, bomb)),
		"another version":              set("\x02" + whole[1:]),
		"longer than any of this tier": set(strings.Repeat("x", redis.Longest+1)),
		"a list": func() {
			server.Del(t.Context(), server.name(key))
			server.RPush(t.Context(), server.name(key), "item")
		},
	} {
		t.Run(name, func(t *testing.T) { testLie(t, c, lie) })
	}
}

func testLie(t *testing.T, c *redis.Cache, lie func()) {
	t.Helper()
	for how, ask := range map[string]func() error{
		"Get": func() error { _, err := body(t, c, key); return err },
		"GetBatch": func() (err error) {
			failed := c.GetBatch(t.Context(), []interfaces.Key{key}, func(_ int, _ interfaces.Entry, miss error) error { err = miss; return nil })
			if failed != nil {
				t.Error(failed)
			}
			return err
		},
	} {
		lie()
		err := ask()
		damage, ok := errors.AsType[*redis.DamageError](err)
		if !ok || damage.Key != key || !errors.Is(err, cacheerr.ErrDamaged) || !strings.Contains(err.Error(), key.Short()) {
			t.Errorf("%s: error %v, want a DamageError of the key", how, err)
		}
		if err := ask(); err != cacheerr.ErrMiss {
			t.Errorf("%s again: error %v, want a bare miss", how, err)
		}
	}
	lie()
	if _, err := c.Stat(t.Context(), key); err != nil && !errors.Is(err, cacheerr.ErrDamaged) {
		t.Errorf("Stat: error %v, want ErrDamaged or none", err)
	}
	lie()
	if inserted, err := c.Insert(t.Context(), key, interfaces.Text("inserted")); !inserted || err != nil {
		t.Errorf("Insert: %t and error %v, want true: what is damaged is not there", inserted, err)
	}
	lie()
	put(t, c, key, "healed")
	if got, err := body(t, c, key); got != "healed" || err != nil {
		t.Errorf("after a Put: %q and error %v", got, err)
	}
	if got, err := body(t, c, other); got != "another body" || err != nil {
		t.Errorf("the other key: %q and error %v", got, err)
	}
}

// meddler calls before with the first write that has text in it.
type meddler struct {
	net.Conn
	text   string
	before func()
}

func (m *meddler) Write(p []byte) (int, error) {
	if m.before != nil && bytes.Contains(p, []byte(m.text)) {
		m.before()
		m.before = nil
	}
	return m.Conn.Write(p)
}

func meddling(text string, before func()) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		return &meddler{conn, text, before}, err
	}
}

// TestFreshEntrySurvives is F7 for a server: what another has put since the
// damage was seen stays.
func TestFreshEntrySurvives(t *testing.T) {
	opts := alone(single(t))
	writer, server := open(t, opts), behind(t, opts)
	opts.Dial = meddling("evalsha", func() { put(t, writer, key, "fresh") })
	reader := open(t, opts)
	put(t, writer, key, "stale")
	server.flip(server.name(key))
	if _, err := body(t, reader, key); !errors.Is(err, cacheerr.ErrDamaged) {
		t.Fatalf("error %v, want ErrDamaged", err)
	}
	if got, err := body(t, reader, key); got != "fresh" || err != nil {
		t.Errorf("%q and error %v, want what was put meanwhile", got, err)
	}
}

const chunk = 4 << 10

// inChunks puts a body of n chunks and returns it and their names.
func inChunks(t *testing.T, c interfaces.Cache, server far, key interfaces.Key, n int) (string, []string) {
	t.Helper()
	text := strings.Repeat(key.String(), chunk/64*n)
	put(t, c, key, text)
	names := server.chunks(key)
	if len(names) != n {
		t.Fatalf("%d chunks, want %d", len(names), n)
	}
	return text, names
}

// TestChunkDamage: a body whose chunks are not all whole is a miss where that
// can be seen at once, else a stream that fails before a wrong byte.
func TestChunkDamage(t *testing.T) {
	opts := alone(single(t))
	opts.ChunkSize = chunk
	c, server := open(t, opts), behind(t, opts)
	_, others := inChunks(t, c, server, other, 12)
	for name, test := range map[string]struct {
		harm  func(names []string)
		bytes int // that may be read
	}{
		"the first is flipped":          {func(names []string) { server.flip(names[0]) }, 0},
		"the fourth is flipped":         {func(names []string) { server.flip(names[3]) }, 0},
		"the first is gone":             {func(names []string) { server.Del(t.Context(), names[0]) }, 0},
		"the last is gone":              {func(names []string) { server.Del(t.Context(), names[11]) }, 0},
		"the last is flipped":           {func(names []string) { server.flip(names[11]) }, 8 * chunk},
		"the sixth is flipped":          {func(names []string) { server.flip(names[5]) }, 4 * chunk},
		"the sixth is another entry's":  {func(names []string) { server.set(names[5], server.value(others[5])) }, 4 * chunk},
		"the sixth is the seventh":      {func(names []string) { server.set(names[5], server.value(names[6])) }, 4 * chunk},
		"the sixth is longer than any":  {func(names []string) { server.set(names[5], strings.Repeat("x", redis.Longest+1)) }, 4 * chunk},
		"the sixth is cut off":          {func(names []string) { server.set(names[5], server.value(names[5])[:20]) }, 4 * chunk},
		"the sixth is no string at all": {func(names []string) { server.Del(t.Context(), names[5]); server.RPush(t.Context(), names[5], "x") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			text, names := inChunks(t, c, server, key, 12)
			test.harm(names)
			entry, err := c.Get(t.Context(), key)
			var got []byte
			if test.bytes > 0 {
				if err != nil {
					t.Fatalf("Get: %v, want a stream", err)
				}
				got, err = io.ReadAll(entry.Reader())
				_ = entry.Close()
			}
			if _, ok := errors.AsType[*redis.DamageError](err); !ok {
				t.Errorf("error %v, want a DamageError", err)
			}
			if len(got) != test.bytes || string(got) != text[:len(got)] {
				t.Errorf("%d bytes were read, want %d, and those right", len(got), test.bytes)
			}
			if _, err := c.Get(t.Context(), key); err != cacheerr.ErrMiss {
				t.Errorf("Get again: error %v, want a bare miss", err)
			}
		})
	}
}

// TestReadWhileChunksGo: who has begun to read a body in chunks reads it to its
// end, whatever becomes of the entry, and what nobody reads any more expires.
func TestReadWhileChunksGo(t *testing.T) {
	opts := alone(single(t))
	opts.ChunkSize = chunk
	c, server := open(t, opts), behind(t, opts)
	for name, change := range map[string]func() error{
		"Put": func() error { return c.Put(t.Context(), key, interfaces.Text("new")) },
		"PutBatch": func() error {
			return c.PutBatch(t.Context(), []interfaces.Item{{Key: key, Entry: interfaces.Text("new")}})
		},
		"Delete": func() error { return c.Delete(t.Context(), key) },
		"Clear":  func() error { return c.Clear(t.Context()) },
	} {
		text, names := inChunks(t, c, server, key, 12)
		entry, err := c.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if err := change(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := entry.Bytes(); string(got) != text || err != nil {
			t.Errorf("%s while it is read: %d bytes and error %v, want all %d", name, len(got), err, len(text))
		}
		for _, name := range names {
			if left := server.PTTL(t.Context(), name).Val(); left <= 0 || left > 5*60*1e9 {
				t.Errorf("a chunk that was replaced or removed has %v to live, want five minutes", left)
			}
		}
	}
}

// TestNoChunksLeft: chunks that nothing names are removed.
func TestNoChunksLeft(t *testing.T) {
	opts := alone(single(t))
	opts.ChunkSize = chunk
	c, server := open(t, opts), behind(t, opts)
	failing := func() interfaces.Entry {
		return interfaces.Stream(io.MultiReader(strings.NewReader(strings.Repeat("x", 9*chunk)), errReader{}), interfaces.SizeUnknown)
	}
	long := func() interfaces.Entry { return interfaces.Text(strings.Repeat("y", 9*chunk)) }
	if err := c.Put(t.Context(), key, failing()); !errors.Is(err, errBroken) {
		t.Errorf("Put of a body that fails: error %v, want the body's", err)
	}
	if _, err := c.Insert(t.Context(), key, failing()); !errors.Is(err, errBroken) {
		t.Errorf("Insert of a body that fails: error %v, want the body's", err)
	}
	put(t, c, key, "taken")
	if inserted, err := c.Insert(t.Context(), key, long()); inserted || err != nil {
		t.Errorf("Insert of a taken key: %t and error %v", inserted, err)
	}
	wrong := long().WithHead(interfaces.Head{Checksum: interfaces.Checksum{1}})
	if err := c.Put(t.Context(), key, wrong); !errors.Is(err, cacheerr.ErrDamaged) {
		t.Errorf("Put of a body with another checksum: error %v, want ErrDamaged", err)
	}
	var names []string
	for cursor := uint64(0); ; {
		some, next, err := server.Scan(t.Context(), cursor, opts.Prefix+"*", 1000).Result()
		if err != nil {
			t.Fatal(err)
		}
		if names = append(names, some...); next == 0 {
			break
		}
		cursor = next
	}
	if len(names) != 1 || names[0] != server.name(key) {
		t.Errorf("the server has %v, want the one entry", names)
	}
}

var errBroken = errors.New("broken")

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errBroken }
