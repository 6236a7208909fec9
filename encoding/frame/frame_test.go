// SPDX-License-Identifier: Apache-2.0

package frame_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/encoding/frame"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

var (
	key  = encoding.RawKey([]byte("key"))
	head = interfaces.Head{Time: time.Date(2026, 11, 22, 7, 0, 0, 1, time.UTC), Cost: time.Second, Tag: "tag"}
	// random does not compress, text does.
	random = noise(100_000)
	text   = strings.Repeat("func main() { return }\n", 5000)
)

func noise(n int) string {
	source := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(source.Uint32())
	}
	return string(b)
}

func appended(t testing.TB, c *frame.Coder, key interfaces.Key, body string) []byte {
	t.Helper()
	b, err := c.Append(nil, key, head, body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// read returns the body of the frame that data is.
func read(c *frame.Coder, data string, key interfaces.Key, limit int64) (string, frame.Frame, error) {
	f, err := frame.Parse(data, key)
	if err != nil {
		return "", f, err
	}
	body, err := c.Body(f, key, limit)
	return body, f, err
}

func TestRoundTrip(t *testing.T) {
	var c frame.Coder
	for name, test := range map[string]struct {
		body  string
		codec frame.Codec
	}{
		"empty":                        {"", frame.Raw},
		"small":                        {"body", frame.Raw},
		"below what is worthwhile":     {text[:64<<10], frame.Raw},
		"worthwhile":                   {text[:64<<10+1], frame.Zstd},
		"what does not compress":       {random, frame.Raw},
		"what compresses":              {text, frame.Zstd},
		"what compresses by a little":  {random[:90_000] + text[:9000], frame.Raw},
		"what compresses by an eighth": {random[:80_000] + text[:20_000], frame.Zstd},
	} {
		t.Run(name, func(t *testing.T) {
			data := appended(t, &c, key, test.body)
			body, f, err := read(&c, string(data), key, int64(len(test.body)))
			if err != nil || body != test.body || f.Codec != test.codec {
				t.Fatalf("%d bytes, codec %d and error %v, want %d bytes and codec %d", len(body), f.Codec, err, len(test.body), test.codec)
			}
			want := head
			want.Size, want.Checksum = int64(len(body)), encoding.SumString(key, body)
			if f.Head != want {
				t.Errorf("head %+v, want %+v", f.Head, want)
			}
			if n := len(test.body) + encoding.HeadSize + 12 + len("tag"); len(data) > n {
				t.Errorf("%d bytes, want at most %d", len(data), n)
			}
		})
	}
}

// What is appended to stays, and a beginning is enough for the head.
func TestAppend(t *testing.T) {
	var c frame.Coder
	data, err := c.Append([]byte("before"), key, head, text)
	if err != nil || !strings.HasPrefix(string(data), "before") {
		t.Fatalf("%.20q and error %v", data, err)
	}
	long := head
	long.Tag = strings.Repeat("t", interfaces.MaxTag)
	data, err = c.Append(nil, key, long, text)
	if err != nil {
		t.Fatal(err)
	}
	f, err := frame.Parse(string(data[:frame.MaxHead]), key)
	if err != nil || f.Head.Tag != long.Tag || f.Head.Size != int64(len(text)) {
		t.Errorf("the head of the beginning is %+v, error %v", f.Head, err)
	}
	long.Tag += "t"
	if data, err := c.Append([]byte("before"), key, long, text); err == nil || string(data) != "before" {
		t.Errorf("a tag that is too long: %q and error %v, want an error and nothing appended", data, err)
	}
	if data, err := frame.AppendApart([]byte("before"), key, long, nil); err == nil || string(data) != "before" {
		t.Errorf("a tag that is too long, body apart: %q and error %v, want an error and nothing appended", data, err)
	}
}

func TestApart(t *testing.T) {
	apart := head
	apart.Size, apart.Checksum = 1<<40, interfaces.Checksum{1}
	data, err := frame.AppendApart(nil, key, apart, []byte("over there"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := frame.Parse(string(data), key)
	if err != nil || f.Codec != frame.Apart || f.Note() != "over there" || f.Head != apart {
		t.Errorf("%+v with note %q and error %v", f, f.Note(), err)
	}
	var c frame.Coder
	if _, err := c.Body(f, key, 1<<50); !errors.Is(err, cacheerr.ErrDamaged) {
		t.Errorf("Body of a frame that has none: %v, want ErrDamaged", err)
	}
}

// TestGolden holds the format: what was written once is read for ever.
func TestGolden(t *testing.T) {
	encoded, err := encoding.AppendHead(nil, key, withBody("body"))
	if err != nil {
		t.Fatal(err)
	}
	// version 1, codec 0, a head of 35 bytes, 4 bytes of body
	built := "01" + "00" + "2300" + "0400000000000000" + hex.EncodeToString(encoded) + hex.EncodeToString([]byte("body"))
	var c frame.Coder
	if got := hex.EncodeToString(appended(t, &c, key, "body")); got != built || got != goldenRaw {
		t.Errorf("a raw frame is\n%s, want\n%s, which was\n%s", got, built, goldenRaw)
	}
	for written, body := range map[string]string{goldenRaw: "body", goldenZstd: strings.Repeat("ab", 1000)} {
		data, err := hex.DecodeString(written)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := read(&c, string(data), key, 1<<20)
		if err != nil || got != body {
			t.Errorf("%s\nhas %q and error %v, want %q", written, got, err, body)
		}
	}
}

func withBody(body string) interfaces.Head {
	whole := head
	whole.Size, whole.Checksum = int64(len(body)), encoding.SumString(key, body)
	return whole
}

// TestDamage: whatever bit is changed and wherever the frame is cut, it is
// damage and never another body.
func TestDamage(t *testing.T) {
	var c frame.Coder
	for name, body := range map[string]string{"raw": random[:2000], "zstd": text[:64<<10+1]} {
		data := appended(t, &c, key, body)
		for i := range len(data) * 8 {
			damaged := bytes.Clone(data)
			damaged[i/8] ^= 1 << (i % 8)
			if got, _, err := read(&c, string(damaged), key, 1<<20); err == nil && got != body || err != nil && !errors.Is(err, cacheerr.ErrDamaged) {
				t.Fatalf("%s, bit %d changed: %d bytes and error %v, want ErrDamaged", name, i, len(got), err)
			}
		}
		for n := range data {
			if got, _, err := read(&c, string(data[:n]), key, 1<<20); !errors.Is(err, cacheerr.ErrDamaged) {
				t.Fatalf("%s, cut after %d bytes: %d bytes and error %v, want ErrDamaged", name, n, len(got), err)
			}
		}
		if _, _, err := read(&c, string(data)+"x", key, 1<<20); !errors.Is(err, cacheerr.ErrDamaged) {
			t.Errorf("%s and a byte more: %v, want ErrDamaged", name, err)
		}
		other := encoding.RawKey([]byte("other"))
		if _, _, err := read(&c, string(data), other, 1<<20); !errors.Is(err, cacheerr.ErrDamaged) {
			t.Errorf("%s under another key: %v, want ErrDamaged", name, err)
		}
	}
}

// forged returns a frame whose head is in order and which claims size for its
// payload.
func forged(t testing.TB, codec frame.Codec, size int64, payload []byte) string {
	t.Helper()
	lying := head
	lying.Size = size
	data, err := frame.AppendApart(nil, key, lying, payload)
	if err != nil {
		t.Fatal(err)
	}
	data[1] = byte(codec)
	return string(data)
}

// TestClaims: lengths are claims. None takes more memory than the reader is
// ready to give.
func TestClaims(t *testing.T) {
	const limit = 1 << 20
	zip, _ := zstd.NewWriter(nil)
	bomb := zip.EncodeAll(make([]byte, 512<<20), nil)
	version := []byte(forged(t, frame.Raw, 4, []byte("body")))
	version[0] = 2
	size := []byte(forged(t, frame.Raw, 4, []byte("body")))
	binary.LittleEndian.PutUint64(size[4:], 1<<63+4)
	length := []byte(forged(t, frame.Raw, 4, []byte("body")))
	binary.LittleEndian.PutUint16(length[2:], 1<<16-1)
	for name, data := range map[string]string{
		"1 TiB raw":                             forged(t, frame.Raw, 1<<40, []byte("body")),
		"1 TiB of zstd":                         forged(t, frame.Zstd, 1<<40, zip.EncodeAll([]byte("body"), nil)),
		"more than so few bytes can be":         forged(t, frame.Zstd, limit, []byte("body")),
		"a bomb that claims to be what it is":   forged(t, frame.Zstd, 512<<20, bomb),
		"a bomb that claims to be at the limit": forged(t, frame.Zstd, limit, bomb),
		"a bomb that claims to be small":        forged(t, frame.Zstd, 10, bomb),
		"nothing of zstd":                       forged(t, frame.Zstd, 0, nil),
		"garbage of zstd":                       forged(t, frame.Zstd, 1000, []byte(random[:1000])),
		"another version":                       string(version),
		"a negative size":                       string(size),
		"a head beyond the end":                 string(length),
		"an unknown codec":                      forged(t, 3, 4, []byte("body")),
		"nothing":                               "",
	} {
		t.Run(name, func(t *testing.T) {
			var c frame.Coder
			_, _, _ = read(&c, forged(t, frame.Zstd, 4, zip.EncodeAll([]byte("body"), nil)), key, limit) // the decompressor is made
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, _, err := read(&c, data, key, limit)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, cacheerr.ErrDamaged) {
				t.Errorf("%d bytes and error %v, want ErrDamaged", len(got), err)
			}
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 4*limit {
				t.Errorf("it took %d bytes of memory, want at most %d", taken, 4*limit)
			}
		})
	}
}

// TestBodyIsNoCopy: what a server's client has read is handed on as it is.
func TestBodyIsNoCopy(t *testing.T) {
	var c frame.Coder
	data := string(appended(t, &c, key, random))
	if n := testing.AllocsPerRun(10, func() { _, _, _ = read(&c, data, key, 1<<20) }); n > 1 { // the tag
		t.Errorf("%v allocations for a raw body, want 1", n)
	}
}

func FuzzParse(f *testing.F) {
	var c frame.Coder
	for _, body := range []string{"", "body", text[:64<<10+1], random[:2000]} {
		f.Add(appended(f, &c, key, body))
	}
	apart, _ := frame.AppendApart(nil, key, withBody("body"), []byte("note"))
	f.Add(apart)
	f.Add([]byte(forged(f, frame.Zstd, 1<<40, []byte("body"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 17
		body, frame, err := read(&c, string(data), key, limit)
		if err != nil {
			if !errors.Is(err, cacheerr.ErrDamaged) {
				t.Errorf("error %v, want ErrDamaged", err)
			}
			return
		}
		if len(body) > limit || encoding.SumString(key, body) != frame.Head.Checksum {
			t.Errorf("a body of %d bytes that is not the frame's", len(body))
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	f.Add("", int64(0), "")
	f.Add(text, int64(1), "tag")
	f.Add(random, int64(-1), "\x00")
	var c frame.Coder
	f.Fuzz(func(t *testing.T, body string, nanos int64, tag string) {
		given := interfaces.Head{Time: time.Unix(0, nanos), Tag: tag}
		data, err := c.Append(nil, key, given, body)
		if err != nil {
			return // a tag that is too long
		}
		got, frame, err := read(&c, string(data), key, int64(len(body)))
		if err != nil || got != body || frame.Head.Tag != tag || nanos != 0 && !frame.Head.Time.Equal(given.Time) {
			t.Errorf("%d bytes, head %+v and error %v of %d bytes, head %+v", len(got), frame.Head, err, len(body), given)
		}
	})
}

const (
	goldenRaw  = "010023000400000000000000d7264e2dd72e16c992d5af36485349dd016051bcd94bea180000803f1ddf9ad0746167626f6479"
	goldenZstd = "01012300d007000000000000dab24bf226fc5d3275fd251f5ffc81e8016051bcd94bea180000803f2f3fdc9074616728b52ffd60d006550000106162015402022ecb17"
)
