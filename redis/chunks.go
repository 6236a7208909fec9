// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/encoding/frame"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// The note of a frame whose body is in chunks is the random name of these, and
// the size of each but the last:
//
//	generation [16] | size uint32, little endian
//
// A chunk is the frame of a piece of the body under a key of its own, the
// SHA-256 digest of the entry's key, the generation and its number (uint64): so
// no chunk can stand for another. In a Cluster the chunks of one body are
// spread over all masters, on purpose.
const (
	generationSize = 16
	noteSize       = generationSize + 4
)

const (
	// window is how many chunks travel in one pipeline.
	window = 4
	// lookAhead is how many chunks are asked for in one pipeline whether they
	// are there.
	lookAhead = 1000
	// mostAfter is how many chunks of a body are seen to after a write. Those of
	// a longer one have their time to live.
	mostAfter = 16 * lookAhead
	// linger is how long the chunks of a body stay that was replaced or
	// removed: somebody may be reading it.
	linger = 5 * time.Minute
)

// chunks is where the body of an entry is.
type chunks struct {
	key        interfaces.Key
	generation [generationSize]byte
	size       int64 // of each chunk's part of the body, but the last one's
	total      int64 // size of the body
}

// parseChunks returns the chunks that the frame of an entry names.
func parseChunks(f frame.Frame, key interfaces.Key) (chunks, error) {
	note := f.Note()
	if len(note) != noteSize {
		return chunks{}, fmt.Errorf("%w: it does not say where its body is", cacheerr.ErrDamaged)
	}
	p := chunks{key: key, total: f.Head.Size, generation: [generationSize]byte([]byte(note))}
	p.size = int64(binary.LittleEndian.Uint32([]byte(note[generationSize:])))
	if p.size < smallestChunk || p.size > largestChunk || p.size >= p.total { // one chunk would not be apart
		return chunks{}, fmt.Errorf("%w: its %d bytes cannot be in chunks of %d", cacheerr.ErrDamaged, p.total, p.size)
	}
	return p, nil
}

// note returns what parseChunks reads.
func (p *chunks) note() []byte {
	return binary.LittleEndian.AppendUint32(p.generation[:len(p.generation):len(p.generation)], uint32(p.size))
}

// count returns how many chunks there are.
func (p *chunks) count() int64 { return (p.total + p.size - 1) / p.size }

// name returns what chunk n is called on the server.
func (p *chunks) name(prefix string, n int64) string {
	return prefix + "+" + hex.EncodeToString(p.generation[:]) + ":" + strconv.FormatInt(n, 10)
}

// chunkKey returns the key of the frame that chunk n is.
func (p *chunks) chunkKey(n int64) interfaces.Key {
	id := make([]byte, 0, interfaces.KeySize+generationSize+8)
	id = append(append(id, p.key[:]...), p.generation[:]...)
	return encoding.RawKey(binary.LittleEndian.AppendUint64(id, uint64(n)))
}

// openChunks returns an entry whose body is a stream of chunks, after a look at
// all of them: the first come with it and are checked, the others must be there.
func (c *Cache) openChunks(ctx context.Context, key interfaces.Key, value string, f frame.Frame) (interfaces.Entry, error) {
	parts, err := parseChunks(f, key)
	if err != nil {
		return interfaces.Entry{}, err
	}
	b := &body{cache: c, ctx: context.WithoutCancel(ctx), chunks: parts, value: value, head: f.Head, sum: encoding.NewHasher(key)}
	if err := b.load(ctx, min(window+lookAhead, parts.count())); err != nil {
		return interfaces.Entry{}, err
	}
	for from := int64(window + lookAhead); from < parts.count(); from += lookAhead {
		if err := b.look(ctx, from, min(from+lookAhead, parts.count())); err != nil {
			return interfaces.Entry{}, err
		}
	}
	return interfaces.Stream(b, f.Head.Size).WithHead(f.Head), nil
}

// body is the body of an entry in chunks. It is read once, by one goroutine.
type body struct {
	cache  *Cache
	ctx    context.Context // without cancellation: a body outlives the Get that opened it
	chunks chunks
	value  string // the frame that named the chunks
	head   interfaces.Head
	sum    *encoding.Hasher
	next   int64    // the first chunk that was not asked for
	ready  []string // chunks that were checked and not read yet
	text   string   // of the chunk that is being read
	err    error    // why nothing more can be read
}

// Read implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for b.text == "" && b.err == nil {
		b.err = b.advance()
	}
	if b.text == "" {
		return 0, b.err
	}
	n := copy(p, b.text)
	b.text = b.text[n:]
	return n, nil
}

// Close implements [io.Closer]. Nothing is open; what was not read is let go.
func (b *body) Close() error {
	b.ready, b.text = nil, ""
	if b.err == nil {
		b.err = errors.New("the body is closed")
	}
	return nil
}

// advance makes the next chunk the one that is being read. At the end, io.EOF,
// all of them together are compared with the entry's checksum.
func (b *body) advance() error {
	if len(b.ready) == 0 && b.next < b.chunks.count() {
		if err := b.load(b.ctx, 0); err != nil {
			if errors.Is(err, cacheerr.ErrDamaged) {
				err = b.cache.dropDamaged(b.ctx, b.chunks.key, b.value, err)
			}
			return err
		}
	}
	if len(b.ready) == 0 {
		if b.sum.Sum() != b.head.Checksum {
			return b.cache.dropDamaged(b.ctx, b.chunks.key, b.value, errors.New("its chunks do not match its checksum"))
		}
		return io.EOF
	}
	b.text, b.ready = b.ready[0], b.ready[1:]
	_, _ = b.sum.WriteString(b.text) // never fails
	return nil
}

// load gets the next chunks and checks them, and, in the same pipeline, looks
// whether those behind them are there, up to but not including seen.
func (b *body) load(ctx context.Context, seen int64) error {
	to := min(b.next+window, b.chunks.count())
	var values []*goredis.StringCmd
	var lengths []*goredis.IntCmd
	err := b.cache.await(ctx, "get", func(ctx context.Context) error {
		pipe := b.cache.client.Pipeline()
		for n := b.next; n < to; n++ {
			values = append(values, pipe.Get(ctx, b.chunks.name(b.cache.opts.prefix, n)))
		}
		lengths = b.lengths(ctx, pipe, to, seen)
		return batchError(pipe.Exec(ctx))
	})
	switch {
	case errors.Is(err, errTooLong):
		return fmt.Errorf("%w: %w", cacheerr.ErrDamaged, err)
	case err != nil:
		return err
	}
	if err := b.present(ctx, to, lengths); err != nil {
		return err
	}
	for _, value := range values {
		text, err := b.check(ctx, value)
		if err != nil {
			return err
		}
		b.ready = append(b.ready, text)
		b.next++
	}
	return nil
}

// check returns what chunk b.next has, if it is whole.
func (b *body) check(ctx context.Context, answer *goredis.StringCmd) (string, error) {
	value, err := answer.Result()
	switch err = b.cache.failed(ctx, "get", err); {
	case errors.Is(err, cacheerr.ErrMiss):
		return "", b.missing(b.next)
	case errors.Is(err, errForeign):
		return "", fmt.Errorf("%w: chunk %d: %w", cacheerr.ErrDamaged, b.next, err)
	case err != nil:
		return "", err
	}
	key := b.chunks.chunkKey(b.next)
	f, err := frame.Parse(value, key)
	if err != nil {
		return "", fmt.Errorf("chunk %d: %w", b.next, err)
	}
	if want := min(b.chunks.size, b.chunks.total-b.next*b.chunks.size); f.Head.Size != want {
		return "", fmt.Errorf("%w: chunk %d has %d bytes of it, not %d", cacheerr.ErrDamaged, b.next, f.Head.Size, want)
	}
	text, err := b.cache.coder.Body(f, key, b.chunks.size)
	if err != nil {
		return "", fmt.Errorf("chunk %d: %w", b.next, err)
	}
	return text, nil
}

// look looks whether the chunks from and below to are there.
func (b *body) look(ctx context.Context, from, to int64) error {
	var lengths []*goredis.IntCmd
	err := b.cache.await(ctx, "get", func(ctx context.Context) error {
		pipe := b.cache.client.Pipeline()
		lengths = b.lengths(ctx, pipe, from, to)
		return batchError(pipe.Exec(ctx))
	})
	if err != nil {
		return err
	}
	return b.present(ctx, from, lengths)
}

// lengths asks for the lengths of the chunks from and below to.
func (b *body) lengths(ctx context.Context, pipe goredis.Pipeliner, from, to int64) (lengths []*goredis.IntCmd) {
	for n := from; n < to; n++ {
		lengths = append(lengths, pipe.StrLen(ctx, b.chunks.name(b.cache.opts.prefix, n)))
	}
	return lengths
}

// present returns which of the chunks from from on is not there.
func (b *body) present(ctx context.Context, from int64, lengths []*goredis.IntCmd) error {
	for i, answer := range lengths {
		length, err := answer.Result()
		if err := b.cache.failed(ctx, "get", err); err != nil {
			return err
		}
		if length == 0 {
			return b.missing(from + int64(i))
		}
	}
	return nil
}

func (b *body) missing(n int64) error {
	return fmt.Errorf("%w: its chunk %d of %d is gone", cacheerr.ErrDamaged, n, b.chunks.count())
}
