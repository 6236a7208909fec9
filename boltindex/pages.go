// SPDX-License-Identifier: Apache-2.0

package boltindex

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"io/fs"
	"os"
)

// What bbolt's files are made of: version 2 of its format, numbers in the
// order of the machine.
const (
	pageHeader  = 16 // id [8], flags [2], count [2], overflow [4]
	elementSize = 16 // of both kinds
	metaSize    = 64
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagFreelist = 0x10
	flagBucket   = 0x01 // of an element of a leaf
	maxDepth     = 16   // of pages: bbolt's trees of a billion entries have six
)

var native = binary.NativeEndian

// checkFile looks through a file page by page: each page that is in use is what
// it should be, is used once, and points to nothing outside of itself and the
// file. bbolt can then read it without harm, though what it reads may be wrong.
func checkFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: path, Err: fs.ErrInvalid}
	}
	f := pages{file: file, size: info.Size()}
	if err := f.readMeta(); err != nil {
		return err
	}
	f.seen = make([]bool, f.end)
	if err := f.freelist(); err != nil {
		return err
	}
	return f.tree(f.root, 0, nil)
}

// pages is a file of bbolt's that is looked through.
type pages struct {
	file     *os.File
	size     int64  // of the file
	page     uint64 // size of a page
	root     uint64 // page of the root bucket
	freePage uint64
	end      uint64 // the first page that is not in use
	seen     []bool // pages that were met
}

// readMeta reads the newer of the two pages that say where everything begins.
func (f *pages) readMeta() error {
	newest := uint64(0)
	found := false
	for n := range uint64(2) {
		size := f.page
		if size == 0 {
			size = uint64(os.Getpagesize())
		}
		var b [pageHeader + metaSize]byte
		if _, err := f.file.ReadAt(b[:], int64(n*size)); err != nil {
			return damaged("it is cut off")
		}
		m := b[pageHeader:]
		sum := fnv.New64a()
		_, _ = sum.Write(m[:metaSize-8]) // never fails
		txid := native.Uint64(m[48:])
		if native.Uint32(m) != boltMagic || native.Uint32(m[4:]) != boltVersion || native.Uint64(m[56:]) != sum.Sum64() || found && txid < newest {
			continue
		}
		newest, found = txid, true
		f.page, f.root = uint64(native.Uint32(m[8:])), native.Uint64(m[16:])
		f.freePage, f.end = native.Uint64(m[32:]), native.Uint64(m[40:])
	}
	switch {
	case !found:
		return damaged("it does not begin as one")
	case f.page < 1024 || f.page > 1<<20 || f.end < 2 || f.end > uint64(f.size)/f.page:
		return damaged("it is cut off")
	}
	return nil
}

// read returns a page with what overflows from it, which was not met before.
func (f *pages) read(id uint64) ([]byte, error) {
	if id < 2 || id >= f.end {
		return nil, damaged("page %d is none", id)
	}
	var head [pageHeader]byte
	if _, err := f.file.ReadAt(head[:], int64(id*f.page)); err != nil {
		return nil, err
	}
	more := uint64(native.Uint32(head[12:]))
	if native.Uint64(head[:]) != id || more >= f.end-id {
		return nil, damaged("page %d is not itself", id)
	}
	for n := id; n <= id+more; n++ {
		if f.seen[n] {
			return nil, damaged("page %d is used twice", n)
		}
		f.seen[n] = true
	}
	b := make([]byte, (more+1)*f.page)
	_, err := f.file.ReadAt(b, int64(id*f.page))
	return b, err
}

// freelist looks through the list of free pages.
func (f *pages) freelist() error {
	b, err := f.read(f.freePage)
	if err != nil {
		return err
	}
	if native.Uint16(b[8:]) != flagFreelist {
		return damaged("its free pages are not listed")
	}
	count, at := uint64(native.Uint16(b[10:])), pageHeader
	if count == 0xFFFF {
		count, at = native.Uint64(b[at:]), at+8
	}
	if count > uint64(len(b)-at)/8 {
		return damaged("its list of free pages is cut off")
	}
	for range count {
		id := native.Uint64(b[at:])
		if id < 2 || id >= f.end || f.seen[id] {
			return damaged("page %d is not free", id)
		}
		f.seen[id] = true
		at += 8
	}
	return nil
}

// tree looks through a page and what it points to. Keys are not less than from.
func (f *pages) tree(id uint64, depth int, from []byte) error {
	b, err := f.read(id)
	if err != nil {
		return err
	}
	if depth > maxDepth {
		return damaged("it is too deep")
	}
	return f.elements(b, depth, from)
}

func (f *pages) elements(b []byte, depth int, from []byte) error {
	flags, count := native.Uint16(b[8:]), int(native.Uint16(b[10:]))
	if flags != flagBranch && flags != flagLeaf || pageHeader+count*elementSize > len(b) || flags == flagBranch && count == 0 {
		return damaged("page %d has a wrong shape", native.Uint64(b))
	}
	for i := range count {
		start := pageHeader + i*elementSize
		e := element{b: b[start:]}
		if flags == flagBranch {
			e.position, e.keySize = native.Uint32(e.b), native.Uint32(e.b[4:])
		} else {
			e.position, e.keySize, e.valueSize = native.Uint32(e.b[4:]), native.Uint32(e.b[8:]), native.Uint32(e.b[12:])
		}
		if uint64(e.position)+uint64(e.keySize)+uint64(e.valueSize) > uint64(len(e.b)) || bytes.Compare(e.key(), from) < 0 {
			return damaged("page %d points out of itself, or is out of order", native.Uint64(b))
		}
		from = e.key()
		var err error
		switch {
		case flags == flagBranch:
			err = f.tree(native.Uint64(e.b[8:]), depth+1, from)
		case native.Uint32(e.b)&flagBucket != 0:
			err = f.bucket(e.value(), depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bucket looks through a bucket within a leaf: the page where it begins, and
// the page itself if that is none.
func (f *pages) bucket(b []byte, depth int) error {
	const bucketHeader = 16
	if len(b) < bucketHeader {
		return damaged("a bucket is cut off")
	}
	if root := native.Uint64(b); root != 0 {
		return f.tree(root, depth+1, nil)
	}
	if len(b) < bucketHeader+pageHeader {
		return damaged("a bucket is cut off")
	}
	return f.elements(b[bucketHeader:], depth+1, nil)
}

// element is a key on a page, with a value or a page.
type element struct {
	b                            []byte // from its head on
	position, keySize, valueSize uint32 // of the key, from its head on
}

func (e element) key() []byte { return e.b[e.position:][:e.keySize] }

func (e element) value() []byte { return e.b[e.position+e.keySize:][:e.valueSize] }
