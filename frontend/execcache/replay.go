// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path"

	"github.com/tiercecache/tierce/interfaces"
)

// restore makes the files of a result.
func (f folder) restore(r *Result) error {
	for i := range r.Files {
		if err := f.restoreFile(&r.Files[i]); err != nil {
			return err
		}
	}
	return nil
}

// restoreFile makes a file: beside its place, from where it is renamed as a whole.
func (f folder) restoreFile(file *File) (err error) {
	dir := path.Dir(file.Path)
	if dir != "." {
		if err := f.MkdirAll(dir, 0o777); err != nil {
			return f.refused("output", file.Path, err)
		}
	}
	name := path.Join(dir, temporaryPrefix+rand.Text()+temporarySuffix)
	to, err := f.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return f.refused("output", file.Path, err)
	}
	defer func() {
		if err != nil {
			_ = f.Remove(name) // what failed says more
		}
	}()
	n, err := io.Copy(to, file.Body.Reader())
	if err == nil && n != file.Body.Size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = to.Chmod(file.Mode)
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	return f.Rename(name, file.Path)
}

// print prints what the command printed: first to the standard output, then to
// the other.
func (s Streams) print(r *Result) error {
	return errors.Join(printTo(s.Stdout, &r.Stdout), printTo(s.Stderr, &r.Stderr))
}

func printTo(to io.Writer, body *interfaces.Entry) error {
	if to == nil || body.Size == 0 {
		return nil
	}
	_, err := io.Copy(to, body.Reader())
	return err
}
