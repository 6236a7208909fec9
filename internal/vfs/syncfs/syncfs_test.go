// SPDX-License-Identifier: Apache-2.0

package syncfs_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tiercecache/tierce/internal/vfs"
	"github.com/tiercecache/tierce/internal/vfs/syncfs"
)

func ok(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// both runs a test on the system's own file system and on the one in memory,
// which must do the same.
func both(t *testing.T, test func(t *testing.T, fsys vfs.FS, dir string)) {
	t.Run("the system's", func(t *testing.T) { test(t, vfs.OS{}, t.TempDir()) })
	t.Run("in memory", func(t *testing.T) {
		fsys, dir := syncfs.New(), filepath.Join(string(filepath.Separator), "a", "dir")
		ok(t, fsys.MkdirAll(dir))
		test(t, fsys, dir)
		if n := fsys.Opened(); n != 0 {
			t.Errorf("%d files are open at the end", n)
		}
	})
}

// create makes a file of body.
func create(t testing.TB, fsys vfs.FS, path, body string) {
	t.Helper()
	file, err := fsys.Create(path)
	ok(t, err)
	_, err = file.Write([]byte(body))
	ok(t, err, file.Close())
}

func read(t testing.TB, fsys vfs.FS, path string) string {
	t.Helper()
	file, err := fsys.Open(path)
	ok(t, err)
	body, err := io.ReadAll(file)
	ok(t, err, file.Close())
	return string(body)
}

func stat(t testing.TB, fsys vfs.FS, path string) vfs.Info {
	t.Helper()
	info, err := fsys.Stat(path)
	ok(t, err)
	return info
}

func TestBytes(t *testing.T) {
	both(t, func(t *testing.T, fsys vfs.FS, dir string) {
		path := filepath.Join(dir, "file")
		file, err := fsys.OpenShared(path)
		ok(t, err)
		want := []byte(strings.Repeat("0123456789", 1000) + strings.Repeat("\x00", 10_000) + "behind a hole")
		write := func(piece string, at int) {
			t.Helper()
			if n, err := file.WriteAt([]byte(piece), int64(at)); n != len(piece) || err != nil {
				t.Errorf("WriteAt %d: %d and error %v", at, n, err)
			}
			copy(want[at:], piece)
		}
		write(string(want[:10_000]), 0)
		write("across two pages", 4090)
		write("behind a hole", 20_000)
		copy(want, "ABCDEF")
		_, err = file.Write([]byte("ABC"))
		ok(t, err)
		_, err = file.Write([]byte("DEF"))
		ok(t, err, file.Close())
		if got := read(t, fsys, path); got != string(want) {
			t.Errorf("the file is %d bytes, want %d", len(got), len(want))
		}
		file, err = fsys.Open(path)
		ok(t, err)
		for _, test := range []struct {
			at, size int
			err      error
		}{{0, 3, nil}, {4000, 500, nil}, {9_999, 5, nil}, {20_010, 3, nil}, {20_010, 9, io.EOF}, {20_013, 1, io.EOF}, {99_999, 1, io.EOF}, {20_013, 0, nil}} {
			buf := make([]byte, test.size)
			n, err := file.ReadAt(buf, int64(test.at))
			if end := min(len(want), test.at+n); err != test.err || n > 0 && string(buf[:n]) != string(want[test.at:end]) {
				t.Errorf("ReadAt %d bytes at %d: %d and error %v, want %v", test.size, test.at, n, err, test.err)
			}
		}
		ok(t, file.Close())
	})
}

func TestInfo(t *testing.T) {
	both(t, func(t *testing.T, fsys vfs.FS, dir string) {
		path := filepath.Join(dir, "file")
		create(t, fsys, path, strings.Repeat("x", 5000))
		made := stat(t, fsys, path)
		if !made.Regular || made.Dir || made.Frozen || made.Size != 5000 || made.Disk < 5000 {
			t.Errorf("Stat: %+v", made)
		}
		if runtime.GOOS == "linux" && !made.Marked {
			t.Error("what Create made is not marked")
		}
		shared, err := fsys.OpenShared(path + "2")
		ok(t, err, shared.Close())
		if other := stat(t, fsys, path+"2"); other.Marked || other.ID == made.ID {
			t.Errorf("what OpenShared made: %+v", other)
		}
		if info := stat(t, fsys, dir); info.Regular || !info.Dir || info.Marked {
			t.Errorf("Stat of a directory: %+v", info)
		}
		file, err := fsys.Open(path)
		ok(t, err)
		used := time.Unix(1_700_000_000, 123_000_000)
		ok(t, file.SetAccessed(used), file.Freeze())
		info, err := file.Stat()
		ok(t, err, file.Close())
		if info.Accessed != used.UnixNano() || info.Modified != made.Modified || info.Changed <= made.Changed || !info.Frozen || !info.Same(made) || info.Marked != made.Marked {
			t.Errorf("Stat after use: %+v, before %+v", info, made)
		}
		if again := stat(t, fsys, path); again != info {
			t.Errorf("Stat by name %+v, of the open file %+v", again, info)
		}
		ok(t, fsys.Rename(path, path+"3"))
		if moved := stat(t, fsys, path+"3"); moved.ID != info.ID || !moved.Same(info) {
			t.Errorf("Stat after Rename: %+v, before %+v", moved, info)
		}
	})
}

func TestAttr(t *testing.T) {
	both(t, func(t *testing.T, fsys vfs.FS, dir string) {
		path := filepath.Join(dir, "file")
		file, err := fsys.Create(path)
		ok(t, err)
		buf := make([]byte, 100)
		attrs := map[string]func([]byte) (int, error){
			"FS": func(b []byte) (int, error) { return fsys.Attr(path, b) }, "File": file.Attr,
		}
		for name, attr := range attrs {
			if _, err := attr(buf); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s.Attr of a file without it: %v", name, err)
			}
		}
		for _, value := range []string{"value", "", strings.Repeat("x", 100)} {
			ok(t, file.SetAttr([]byte(value)))
			for name, attr := range attrs {
				if n, err := attr(buf); string(buf[:n]) != value || err != nil {
					t.Errorf("%s.Attr: %q and error %v, want %q", name, buf[:n], err, value)
				}
			}
		}
		for name, attr := range attrs {
			if n, err := attr(buf[:99]); n != 0 || !errors.Is(err, syscall.ERANGE) {
				t.Errorf("%s.Attr that does not fit: %d and error %v, want %v", name, n, err, syscall.ERANGE)
			}
		}
		ok(t, file.Close())
		if _, err := fsys.Attr(path+"2", buf); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Attr of a missing file: %v", err)
		}
	})
}

func TestNames(t *testing.T) {
	both(t, func(t *testing.T, fsys vfs.FS, dir string) {
		from, sub := filepath.Join(dir, "from"), filepath.Join(dir, "a", "b")
		to := filepath.Join(sub, "to")
		create(t, fsys, from, "from")
		ok(t, fsys.MkdirAll(sub), fsys.MkdirAll(sub), fsys.Move(from, to), fsys.SyncDir(sub))
		opened, err := fsys.Open(to)
		ok(t, err)
		if _, err := fsys.Stat(from); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat of what was moved: %v", err)
		}
		create(t, fsys, from, "another")
		create(t, fsys, from+"2", "second")
		ok(t, fsys.Rename(from+"2", to), fsys.Rename(to, to))
		body, err := io.ReadAll(opened)
		ok(t, err, opened.Close())
		if got := read(t, fsys, to); got != "second" || string(body) != "from" || read(t, fsys, from) != "another" {
			t.Errorf("after Rename the name is of %q, the open file %q", got, body)
		}
		names, err := fsys.ReadDir(dir)
		slices.Sort(names)
		if !slices.Equal(names, []string{"a", "from"}) || err != nil {
			t.Errorf("ReadDir: %v and error %v", names, err)
		}
		ok(t, fsys.Remove(to), fsys.Remove(sub))
		if _, err := fsys.Stat(sub); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Stat of what was removed: %v", err)
		}
	})
}

// TestRefusals compares what each operation says that cannot be done.
func TestRefusals(t *testing.T) {
	second := func(_ any, err error) error { return err }
	both(t, func(t *testing.T, fsys vfs.FS, dir string) {
		file, sub := filepath.Join(dir, "file"), filepath.Join(dir, "sub")
		create(t, fsys, file, "body")
		create(t, fsys, file+"2", "")
		ok(t, fsys.MkdirAll(filepath.Join(sub, "full")))
		none := filepath.Join(dir, "no", "such")
		for op, test := range map[string]struct{ err, want error }{
			"open":                     {second(fsys.Open(none)), fs.ErrNotExist},
			"create":                   {second(fsys.Create(none)), fs.ErrNotExist},
			"shared":                   {second(fsys.OpenShared(none)), fs.ErrNotExist},
			"stat":                     {second(fsys.Stat(none)), fs.ErrNotExist},
			"rename":                   {fsys.Rename(none, file), fs.ErrNotExist},
			"rename to nowhere":        {fsys.Rename(file, none), fs.ErrNotExist},
			"move":                     {fsys.Move(none, file), fs.ErrNotExist},
			"move to nowhere":          {fsys.Move(file, none), fs.ErrNotExist},
			"remove":                   {fsys.Remove(none), fs.ErrNotExist},
			"list":                     {second(fsys.ReadDir(none)), fs.ErrNotExist},
			"syncdir":                  {fsys.SyncDir(none), fs.ErrNotExist},
			"create of what is there":  {second(fsys.Create(file)), fs.ErrExist},
			"move to what is there":    {fsys.Move(file, file+"2"), fs.ErrExist},
			"mkdir through a file":     {fsys.MkdirAll(filepath.Join(file, "dir")), syscall.ENOTDIR},
			"mkdir of a file":          {fsys.MkdirAll(file), syscall.ENOTDIR},
			"open through a file":      {second(fsys.Open(filepath.Join(file, "x"))), syscall.ENOTDIR},
			"create through a file":    {second(fsys.Create(filepath.Join(file, "x"))), syscall.ENOTDIR},
			"list of a file":           {second(fsys.ReadDir(file)), syscall.ENOTDIR},
			"syncdir of a file":        {fsys.SyncDir(file), syscall.ENOTDIR},
			"shared open of directory": {second(fsys.OpenShared(dir)), syscall.EISDIR},
			"rename over a directory":  {fsys.Rename(file, sub), syscall.EISDIR},
			"rename of a directory":    {fsys.Rename(sub, file), syscall.ENOTDIR},
			"rename over a full one":   {fsys.Rename(filepath.Join(sub, "full"), sub), syscall.ENOTEMPTY},
			"remove of a full one":     {fsys.Remove(sub), syscall.ENOTEMPTY},
		} {
			var one *fs.PathError
			var two *os.LinkError
			named := errors.As(test.err, &one) && one.Path != "" || errors.As(test.err, &two) && two.Old != ""
			if !errors.Is(test.err, test.want) || !named && test.want != errors.ErrUnsupported {
				t.Errorf("%s: error %v, want %v with the path", op, test.err, test.want)
			}
		}
	})
}

func TestOpenFiles(t *testing.T) {
	both(t, func(t *testing.T, fsys vfs.FS, dir string) {
		path, buf := filepath.Join(dir, "file"), make([]byte, 1)
		created, err := fsys.Create(path)
		ok(t, err)
		read, err := fsys.Open(path)
		ok(t, err)
		directory, err := fsys.Open(dir)
		ok(t, err)
		check := func(what string, err error, want syscall.Errno) {
			t.Helper()
			var named *fs.PathError
			if !errors.As(err, &named) || named.Path == "" || !errors.Is(err, want) {
				t.Errorf("%s: error %v, want %v", what, err, want)
			}
		}
		_, err = created.Read(buf)
		check("Read of a file to be written", err, syscall.EBADF)
		_, err = read.Write(buf)
		check("Write of a file to be read", err, syscall.EBADF)
		_, err = directory.ReadAt(buf, 0)
		check("ReadAt of a directory", err, syscall.EISDIR)
		ok(t, created.Close(), read.Close(), directory.Close(), read.Close())
		_, err = read.ReadAt(buf, 0)
		check("ReadAt of a closed file", err, syscall.EBADF)
		_, err = read.Stat()
		check("Stat of a closed file", err, syscall.EBADF)
		check("Sync of a closed file", read.Sync(), syscall.EBADF)
		check("Freeze of a closed file", read.Freeze(), syscall.EBADF)
		check("SetAttr of a closed file", read.SetAttr(buf), syscall.EBADF)
		check("SetAccessed of a closed file", read.SetAccessed(time.Unix(1, 0)), syscall.EBADF)
	})
}
