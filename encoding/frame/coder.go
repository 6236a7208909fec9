// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"runtime"
	"sync"
	"unsafe"

	"github.com/klauspost/compress/zstd"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
)

const (
	// worthwhile is the smallest body in bytes that is compressed. A network saves
	// little by it below, and to take a body apart counts: from a server on the same
	// machine a Get of 64 KiB took 1.3 times as long as without, one of 4 KiB three
	// times. Of what Go makes, bodies of 16 to 64 KiB are 1 % of the bytes.
	worthwhile = 64<<10 + 1
	// densest is how many bytes of body one byte of zstd can stand for: a block
	// of 128 KiB that repeats one byte is 4 bytes.
	densest = 32 << 10
	// slack is room behind a body for which the decoder takes its quicker way,
	// which copies more than is asked for.
	slack = 16
)

// Coder writes and reads frames. The zero Coder is ready; its compressors are
// made when the first body asks for them. It is safe for many goroutines.
type Coder struct {
	writer sync.Once
	reader sync.Once
	zip    *zstd.Encoder
	unzip  *zstd.Decoder
}

// Append appends the frame of the entry under key to dst and returns the longer
// slice. The head's size must be the body's; a zero checksum is computed, and
// any other is believed. It fails as [encoding.AppendHead] does.
//
// The body is compressed if it is longer than 64 KiB and loses an eighth by it.
func (c *Coder) Append(dst []byte, key interfaces.Key, head interfaces.Head, body string) ([]byte, error) {
	head.Size = int64(len(body))
	if head.Checksum == (interfaces.Checksum{}) {
		head.Checksum = encoding.SumString(key, body)
	}
	start := len(dst)
	dst, err := appendStart(dst, key, head, Raw)
	if err != nil {
		return dst, err
	}
	payload := len(dst)
	if len(body) >= worthwhile {
		dst = c.encoder().EncodeAll(bytesOf(body), dst)
		if len(dst)-payload <= len(body)-len(body)/8 {
			dst[start+codecAt] = byte(Zstd)
			return dst, nil
		}
	}
	return append(dst[:payload], body...), nil
}

// Body returns the body of a frame of the entry under key, checked against its
// checksum. What was Raw is a part of the string that was parsed, not a copy.
//
// A frame whose body is longer than limit, or is not what its head says, is
// cacheerr.ErrDamaged; so is one that is [Apart]. No more than limit bytes are
// taken up, whatever the frame claims.
func (c *Coder) Body(f Frame, key interfaces.Key, limit int64) (string, error) {
	body, err := c.open(f, limit)
	switch {
	case err != nil:
		return "", err
	case int64(len(body)) != f.Head.Size:
		return "", damaged("its body is %d bytes long, not %d", len(body), f.Head.Size)
	case encoding.SumString(key, body) != f.Head.Checksum:
		return "", damaged("its body does not match its checksum")
	}
	return body, nil
}

func (c *Coder) open(f Frame, limit int64) (string, error) {
	size := f.Head.Size
	switch {
	case size > limit:
		return "", damaged("its body would be %d bytes, more than %d", size, limit)
	case f.Codec == Raw:
		return f.payload, nil
	case f.Codec != Zstd:
		return "", damaged("its body is not in it")
	case size > int64(len(f.payload))*densest:
		return "", damaged("%d bytes cannot stand for %d", len(f.payload), size)
	}
	body, err := c.decoder().DecodeAll(bytesOf(f.payload), make([]byte, 0, size+slack))
	if err != nil {
		return "", damaged("its body cannot be decompressed: %v", err)
	}
	return unsafe.String(unsafe.SliceData(body), len(body)), nil
}

// encoder returns the compressor. Its options are right, so it cannot fail.
func (c *Coder) encoder() *zstd.Encoder {
	c.writer.Do(func() {
		c.zip, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false),
			zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithLowerEncoderMem(true),
			// What Go makes is 15 % longer by it, and is taken apart in half of the time.
			zstd.WithNoEntropyCompression(true))
	})
	return c.zip
}

// decoder returns the decompressor, which writes no more than there is room for.
func (c *Coder) decoder() *zstd.Decoder {
	c.reader.Do(func() {
		c.unzip, _ = zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)))
	})
	return c.unzip
}
