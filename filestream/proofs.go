// SPDX-License-Identifier: Apache-2.0

package filestream

import (
	"crypto/rand"
	"encoding/binary"
	"sync"

	"github.com/tiercecache/tierce/encoding"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/internal/vfs"
)

// proof is a digest of everything by which a file would show that it changed:
// inode, length and times, and of the run of the machine. Zero is none.
type proof uint64

// proofOf returns the proof that the entry's file, so described, was verified
// in this run of the machine. A system that does not tell when a file was last
// changed in any way, or which run this is, gives proofs that hold for this
// process only.
func proofOf(key interfaces.Key, info vfs.Info) proof {
	var buf [5 * 8]byte
	binary.LittleEndian.PutUint64(buf[0:], boot(info.Changed != 0))
	binary.LittleEndian.PutUint64(buf[8:], info.ID)
	binary.LittleEndian.PutUint64(buf[16:], uint64(info.Size))
	binary.LittleEndian.PutUint64(buf[24:], uint64(info.Modified))
	binary.LittleEndian.PutUint64(buf[32:], uint64(info.Changed))
	sum := encoding.Sum(key, buf[:])
	return proof(max(1, binary.LittleEndian.Uint64(sum[:8])))
}

// boot returns a number for this run of the machine, or for this process.
func boot(tells bool) uint64 {
	if tells {
		return machineRun()
	}
	return processRun()
}

var machineRun = sync.OnceValue(func() uint64 {
	id := vfs.BootID()
	if id == "" {
		return processRun()
	}
	sum := encoding.Sum(interfaces.Key{}, []byte(id))
	return binary.LittleEndian.Uint64(sum[:8])
})

var processRun = sync.OnceValue(func() uint64 {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	return binary.LittleEndian.Uint64(random[:])
})

// The file of proofs is a table of buckets, each of slots of one proof. It has
// no header: what is not a proof that somebody asks for is as good as empty, so
// it may be deleted, truncated or damaged at any moment. It is sparse, so a
// small cache's takes little. A full bucket forgets one of its proofs.
const (
	slots       = 8                     // proofs in a bucket: 64 bytes, a cache line, one write is never torn
	buckets     = 1 << 17               // a million proofs
	bucketBytes = slots * 8             //
	proofBytes  = buckets * bucketBytes // 8 MiB
)

// proofs is the set of proofs that all processes of this machine share.
type proofs struct {
	open func() (vfs.File, error)

	once sync.Once
	mu   sync.RWMutex       // held for reading while the table is used: its file is not closed meanwhile
	file vfs.File           // nil when the table cannot be had
	own  map[proof]struct{} // not in the table: it cannot be had, or close writes them down
}

// maxKept is how many proofs are kept to be written down at the end.
const maxKept = 1 << 14

// start opens the table at its first use.
func (p *proofs) start() {
	p.once.Do(func() {
		if file, err := p.open(); err == nil {
			p.file = file
		}
	})
}

func (f proof) bucket() int64 { return int64(uint64(f)%buckets) * bucketBytes }

// has reports whether the proof is in the set.
func (p *proofs) has(wanted proof) bool {
	if wanted == 0 {
		return false
	}
	p.start()
	p.mu.RLock()
	defer p.mu.RUnlock()
	if _, ok := p.own[wanted]; ok || p.file == nil {
		return ok
	}
	s := getScratch()
	defer putScratch(s)
	_, found := find(p.file, wanted, s.bucket[:])
	return found
}

// keep is add for this process, and for the others when the set is closed, which
// spares whoever waits two system calls.
func (p *proofs) keep(made proof) {
	p.mu.Lock()
	room := len(p.own) < maxKept
	if room {
		p.note(made)
	}
	p.mu.Unlock()
	if !room {
		p.add(made)
	}
}

// note needs mu.
func (p *proofs) note(made proof) {
	if p.own == nil {
		p.own = make(map[proof]struct{})
	}
	p.own[made] = struct{}{}
}

// add puts a proof into the set.
func (p *proofs) add(made proof) {
	if made == 0 {
		return
	}
	if !p.addToFile(made) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.note(made)
	}
}

func (p *proofs) addToFile(made proof) bool {
	p.start()
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.file == nil {
		return false
	}
	write(p.file, made)
	return true
}

// write puts a proof into its bucket of a table.
func write(file vfs.File, made proof) {
	s := getScratch()
	defer putScratch(s)
	if slot, found := find(file, made, s.bucket[:]); !found {
		binary.LittleEndian.PutUint64(s.bucket[:8], uint64(made))
		_, _ = file.WriteAt(s.bucket[:8], made.bucket()+int64(slot)*8) // a lost proof costs one more verification
	}
}

// find reads the bucket of a proof and returns the slot where it is, or else a
// slot where it may go: the first empty one, or one chosen by its upper bits.
func find(file vfs.File, wanted proof, bucket []byte) (slot int, found bool) {
	n, _ := file.ReadAt(bucket, wanted.bucket()) // what cannot be read is empty
	clear(bucket[n:])
	empty := -1
	for i := range slots {
		switch binary.LittleEndian.Uint64(bucket[i*8:]) {
		case uint64(wanted):
			return i, true
		case 0:
			if empty < 0 {
				empty = i
			}
		}
	}
	if empty >= 0 {
		return empty, false
	}
	return int(uint64(wanted) >> 61), false
}

// close writes down what was kept and closes the table, once nobody uses it. What
// is still at work then goes on without.
func (p *proofs) close() error {
	p.mu.RLock()
	kept := len(p.own) > 0
	p.mu.RUnlock()
	if kept {
		p.start()
	}
	p.once.Do(func() {}) // never opened: nothing to open any more
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		return nil
	}
	for made := range p.own {
		write(p.file, made)
	}
	clear(p.own)
	file := p.file
	p.file = nil
	return file.Close()
}
