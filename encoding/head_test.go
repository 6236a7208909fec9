// SPDX-License-Identifier: Apache-2.0

package encoding_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

var (
	headKey = encoding.RawKey([]byte("head"))
	someSum = encoding.SumString(headKey, "body")
	// someHead has a tag of the length of an OutputID of Go.
	someHead = interfaces.Head{
		Size:     4,
		Checksum: someSum,
		Time:     time.Date(2026, 3, 1, 12, 30, 15, 123456789, time.UTC),
		Cost:     1500 * time.Millisecond,
		Tag:      strings.Repeat("\xa5", 32),
	}
)

func mustAppendHead(tb testing.TB, head interfaces.Head) []byte {
	tb.Helper()
	data, err := encoding.AppendHead(nil, headKey, head)
	if err != nil {
		tb.Fatalf("AppendHead(%+v): %v", head, err)
	}
	return data
}

// TestHeadGolden holds the format: a change here makes every stored entry look
// damaged.
func TestHeadGolden(t *testing.T) {
	const want = "7d7861871fe1ce50b9f831e9ac43c7f51573a05180b798180000c03f52c27014a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"
	data := mustAppendHead(t, someHead)
	if got := hex.EncodeToString(data); got != want {
		t.Errorf("the head is %s, want %s", got, want)
	}
	if len(data) != 64 {
		t.Errorf("a head with a tag of 32 bytes is %d bytes; what fits into an inode is 64", len(data))
	}
	prefix := []byte("prefix")
	longer, err := encoding.AppendHead(prefix, headKey, someHead)
	if err != nil || !bytes.Equal(longer, append(prefix, data...)) {
		t.Errorf("AppendHead behind a prefix = %x, %v", longer, err)
	}
}

func TestHeadRoundTrip(t *testing.T) {
	tests := map[string]interfaces.Head{
		"zero":             {},
		"whole":            someHead,
		"before 1970":      {Time: time.Date(1969, 12, 31, 23, 59, 59, 999999999, time.UTC)},
		"largest tag":      {Size: math.MaxInt64, Tag: strings.Repeat("t", interfaces.MaxTag)},
		"tag of any bytes": {Tag: "\x00\xff\n"},
		"another zone":     {Time: time.Date(2026, 3, 1, 0, 0, 0, 1, time.FixedZone("x", 3600))},
	}
	for name, head := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := encoding.ParseHead(mustAppendHead(t, head), headKey, head.Size)
			want := head
			want.Time = head.Time.UTC()
			if err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
		})
	}
}

func TestHeadCost(t *testing.T) {
	for _, cost := range []time.Duration{
		1, 999, 123456, 1234567, time.Millisecond, 1234567890, 59*time.Minute + 59*time.Second + 999*time.Millisecond,
		1000 * time.Hour, math.MaxInt64,
	} {
		head, err := encoding.ParseHead(mustAppendHead(t, interfaces.Head{Cost: cost}), headKey, 0)
		if err != nil {
			t.Fatalf("cost %v: %v", cost, err)
		}
		if off := math.Abs(float64(head.Cost-cost)) / float64(cost); off >= 1e-6 {
			t.Errorf("cost %v comes back as %v: off by %g", cost, head.Cost, off)
		}
	}
	head, err := encoding.ParseHead(mustAppendHead(t, interfaces.Head{Cost: -1}), headKey, 0)
	if err != nil || head.Cost != 0 {
		t.Errorf("a negative cost comes back as %v, %v; want 0", head.Cost, err)
	}
}

func TestAppendHeadRefuses(t *testing.T) {
	for name, head := range map[string]interfaces.Head{
		"tag too long":  {Tag: strings.Repeat("t", interfaces.MaxTag+1)},
		"unknown size":  {Size: interfaces.SizeUnknown},
		"time too late": {Time: time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)},
		"time too old":  {Time: time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if data, err := encoding.AppendHead([]byte("kept"), headKey, head); err == nil || string(data) != "kept" {
			t.Errorf("%s: got %q, %v; want an error and dst as it was", name, data, err)
		}
	}
}

func TestParseHeadDamage(t *testing.T) {
	whole := mustAppendHead(t, someHead)
	damaged := func(what string, data []byte, key interfaces.Key, size int64) {
		t.Helper()
		head, err := encoding.ParseHead(data, key, size)
		if !errors.Is(err, cacheerr.ErrDamaged) || head != (interfaces.Head{}) {
			t.Errorf("%s: got %+v, %v; want ErrDamaged", what, head, err)
		}
	}
	for bit := range 8 * len(whole) {
		data := bytes.Clone(whole)
		data[bit/8] ^= 1 << (bit % 8)
		damaged("a flipped bit", data, headKey, someHead.Size)
	}
	for n := range whole {
		damaged("truncated", whole[:n], headKey, someHead.Size)
	}
	damaged("longer", append(bytes.Clone(whole), 0), headKey, someHead.Size)
	damaged("zero-filled", make([]byte, len(whole)), headKey, someHead.Size)
	damaged("another key", whole, encoding.RawKey(nil), someHead.Size)
	for _, size := range []int64{0, 3, 5, -1, someHead.Size << 32} {
		damaged("another size", whole, headKey, size)
	}
	tooLong := make([]byte, encoding.HeadSize+interfaces.MaxTag+1)
	encoding.SealHead(tooLong, headKey, 4)
	damaged("tag too long", tooLong, headKey, 4)
	negative := bytes.Clone(whole)
	encoding.SealHead(negative, headKey, -1)
	damaged("negative size", negative, headKey, -1)
}

func TestParseHeadCostDamage(t *testing.T) {
	for _, cost := range []float64{-1, -1e-30, math.NaN(), math.Inf(1), math.Inf(-1), 9.3e9, math.MaxFloat32} {
		data := mustAppendHead(t, someHead)
		binary.LittleEndian.PutUint32(data[24:], math.Float32bits(float32(cost)))
		encoding.SealHead(data, headKey, someHead.Size)
		if head, err := encoding.ParseHead(data, headKey, someHead.Size); !errors.Is(err, cacheerr.ErrDamaged) {
			t.Errorf("a cost of %g s: got %+v, %v; want ErrDamaged", cost, head, err)
		}
	}
}

func TestHeadAllocations(t *testing.T) {
	buf := make([]byte, 0, encoding.HeadSize+interfaces.MaxTag)
	for _, tag := range []string{"", strings.Repeat("t", 32), strings.Repeat("t", interfaces.MaxTag)} {
		head := someHead
		head.Tag = tag
		if got := testing.AllocsPerRun(100, func() { _, _ = encoding.AppendHead(buf, headKey, head) }); got != 0 {
			t.Errorf("AppendHead with a tag of %d bytes: %v allocations, want 0", len(tag), got)
		}
		data, want := mustAppendHead(t, head), float64(min(len(tag), 1))
		if got := testing.AllocsPerRun(100, func() { _, _ = encoding.ParseHead(data, headKey, head.Size) }); got != want {
			t.Errorf("ParseHead with a tag of %d bytes: %v allocations, want %v", len(tag), got, want)
		}
	}
}

// FuzzParseHead parses data as it is, and again with the right check.
func FuzzParseHead(f *testing.F) {
	f.Add([]byte{}, int64(0))
	f.Add(mustAppendHead(f, interfaces.Head{}), int64(0))
	f.Add(mustAppendHead(f, someHead), someHead.Size)
	f.Add(mustAppendHead(f, interfaces.Head{Cost: math.MaxInt64, Tag: "t"}), int64(-1))
	f.Fuzz(func(t *testing.T, data []byte, size int64) {
		checkHead(t, data, size)
		if len(data) >= encoding.HeadSize {
			encoding.SealHead(data, headKey, size)
			checkHead(t, data, size)
		}
	})
}

// checkHead checks that data is damaged or a head that goes round.
func checkHead(t *testing.T, data []byte, size int64) {
	t.Helper()
	head, err := encoding.ParseHead(data, headKey, size)
	if err != nil {
		if !errors.Is(err, cacheerr.ErrDamaged) {
			t.Errorf("ParseHead fails with %v, want ErrDamaged", err)
		}
		return
	}
	if head.Size != size || head.Cost < 0 || len(head.Tag) > interfaces.MaxTag {
		t.Errorf("ParseHead returns %+v for size %d", head, size)
	}
	again, err := encoding.ParseHead(mustAppendHead(t, head), headKey, size)
	if err != nil || again != head {
		t.Errorf("%+v comes back as %+v, %v", head, again, err)
	}
}

func BenchmarkHead(b *testing.B) {
	buf, data := make([]byte, 0, 64), mustAppendHead(b, someHead)
	b.Run("Append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = encoding.AppendHead(buf, headKey, someHead)
		}
	})
	b.Run("Parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = encoding.ParseHead(data, headKey, someHead.Size)
		}
	})
}
