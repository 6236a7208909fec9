// SPDX-License-Identifier: Apache-2.0

// Bare is the least that a GOCACHEPROG helper can do, and the measure of ours:
// it reads JSON, writes the file, renames it and answers, one request after
// the other. It checks nothing, bounds nothing and counts nothing.
//
// An output is the file <dir>/<action>-d; what the protocol wants back with
// it (output id, size, time) is the file <dir>/<action>-a.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

type request struct {
	ID       int64
	Command  string
	ActionID []byte
	OutputID []byte
	BodySize int64
}

type response struct {
	ID            int64
	Err           string     `json:",omitempty"`
	KnownCommands []string   `json:",omitempty"`
	Miss          bool       `json:",omitempty"`
	OutputID      []byte     `json:",omitempty"`
	Size          int64      `json:",omitempty"`
	Time          *time.Time `json:",omitempty"`
	DiskPath      string     `json:",omitempty"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: bare DIRECTORY")
		os.Exit(2)
	}
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "bare:", err)
		os.Exit(1)
	}
}

func serve(dir string) error {
	in := json.NewDecoder(bufio.NewReaderSize(os.Stdin, 64<<10))
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(response{KnownCommands: []string{"get", "put", "close"}}); err != nil {
		return err
	}
	for {
		var req request
		if err := in.Decode(&req); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		res := response{ID: req.ID}
		name := hex.EncodeToString(req.ActionID)
		base := filepath.Join(dir, name[:min(2, len(name))], name)
		switch req.Command {
		case "get":
			get(base, &res)
		case "put":
			if err := put(base, in, req, &res); err != nil {
				return err
			}
		}
		if err := out.Encode(res); err != nil || req.Command == "close" {
			return err
		}
	}
}

func get(base string, res *response) {
	head, err := os.ReadFile(base + "-a")
	if err != nil || len(head) != 48 {
		res.Miss = true
		return
	}
	at := time.Unix(0, int64(binary.LittleEndian.Uint64(head[40:])))
	res.OutputID, res.Time = head[:32], &at
	res.Size = int64(binary.LittleEndian.Uint64(head[32:]))
	res.DiskPath = base + "-d"
}

func put(base string, in *json.Decoder, req request, res *response) error {
	var body []byte
	if req.BodySize > 0 {
		var text string
		if err := in.Decode(&text); err != nil {
			return err
		}
		var err error
		if body, err = base64.StdEncoding.DecodeString(text); err != nil {
			return err
		}
	}
	head := binary.LittleEndian.AppendUint64(append([]byte(nil), req.OutputID...), uint64(req.BodySize))
	head = binary.LittleEndian.AppendUint64(head, uint64(time.Now().UnixNano()))
	for _, file := range []struct {
		name string
		data []byte
	}{{base + "-d", body}, {base + "-a", head}} {
		err := os.WriteFile(file.name+".tmp", file.data, 0o644)
		if os.IsNotExist(err) { // the first file of this folder
			_ = os.MkdirAll(filepath.Dir(file.name), 0o755)
			err = os.WriteFile(file.name+".tmp", file.data, 0o644)
		}
		if err != nil {
			return err
		}
		if err := os.Rename(file.name+".tmp", file.name); err != nil {
			return err
		}
	}
	res.DiskPath = base + "-d"
	return nil
}
