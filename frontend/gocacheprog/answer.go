// SPDX-License-Identifier: Apache-2.0

package gocacheprog

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"strconv"
	"sync"
	"time"
)

// hello is the first message.
const hello = `{"ID":0,"KnownCommands":["get","put","close"]}` + "\n"

// answers writes answers, each with one call of Write.
type answers struct {
	mu  sync.Mutex
	out io.Writer
	buf []byte
	err error // of the first Write that failed
}

func (a *answers) send(message []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.write(message)
}

func (a *answers) write(message []byte) error {
	if a.err == nil {
		_, a.err = a.out.Write(message)
	}
	return a.err
}

// failure returns why nobody reads the answers any more, or nil.
func (a *answers) failure() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// answer writes the answer to the request id, with the fields that more adds.
func (a *answers) answer(id int64, more func([]byte) []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.buf = strconv.AppendInt(append(a.buf[:0], `{"ID":`...), id, 10)
	a.buf = more(a.buf)
	_ = a.write(append(a.buf, '}', '\n')) // Serve asks for failure
}

func (a *answers) get(id int64, found found) {
	a.answer(id, func(b []byte) []byte {
		if found.err != nil {
			return append(b, `,"Miss":true`...)
		}
		b = append(b, `,"OutputID":"`...)
		b = base64.StdEncoding.AppendEncode(b, []byte(found.output))
		b = strconv.AppendInt(append(b, `","Size":`...), found.size, 10)
		b = found.at.UTC().AppendFormat(append(b, `,"Time":"`...), time.RFC3339Nano)
		return appendText(append(b, `","DiskPath":`...), found.path)
	})
}

func (a *answers) put(id int64, path string) {
	a.answer(id, func(b []byte) []byte { return appendText(append(b, `,"DiskPath":`...), path) })
}

func (a *answers) refuse(id int64, why string) {
	a.answer(id, func(b []byte) []byte { return appendText(append(b, `,"Err":`...), why) })
}

func (a *answers) done(id int64) {
	a.answer(id, func(b []byte) []byte { return b })
}

// appendText appends a JSON string.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(text) // a string has a JSON form
			return append(b, quoted...)
		}
	}
	b = append(append(b, '"'), text...)
	return append(b, '"')
}
