// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/redis"
)

func look(pieces ...string) error {
	var c redis.Claims
	for _, piece := range pieces {
		if err := c.Look([]byte(piece)); err != nil {
			return err
		}
	}
	return nil
}

func TestClaims(t *testing.T) {
	for _, lawful := range []string{
		"+OK\r\n", "-ERR $99999999999\r\n", ":99999999999\r\n", "$-1\r\n", "*-1\r\n", "$0\r\n\r\n",
		"$4\r\n$99\n\r\n+OK\r\n", "*3\r\n$1\r\na\r\n*0\r\n:1\r\n", "%1\r\n+a\r\n+b\r\n", "_\r\n", ",1.5\r\n", "#t\r\n", "(1\r\n", "=5\r\ntxt:a\r\n",
		fmt.Sprintf("$%d\r\n", redis.Longest),
		"$5\r\n*9999\r\n$5\r\n$9999\r\n",
		strings.Repeat("*2\r\n$1\r\na\r\n*2\r\n*-1\r\n*0\r\n", 100), // a hundred lists, one after the other
		strings.Repeat("%1\r\n+a\r\n%1\r\n+b\r\n~1\r\n+c\r\n", 100),
		strings.Repeat("*1\r\n", redis.Deepest) + ":1\r\n" + strings.Repeat("*1\r\n", redis.Deepest) + ":1\r\n",
	} {
		if err := look(lawful); err != nil {
			t.Errorf("%.40q: %v, want no error", lawful, err)
		}
		if err := look(strings.Split(lawful, "")...); err != nil {
			t.Errorf("%.40q, a byte at a time: %v, want no error", lawful, err)
		}
	}
	for _, wrong := range []string{
		"$1099511627776\r\n", "$9223372036854775807\r\n", "$99999999999999999999999999\r\n", "=1099511627776\r\n", "!1099511627776\r\n",
		fmt.Sprintf("$%d\r\n", redis.Longest+1),
		"*1099511627776\r\n", "%1099511627776\r\n", "~1099511627776\r\n", ">1099511627776\r\n", "|1099511627776\r\n",
		"|0\r\n", "|1\r\n+a\r\n+b\r\n", "\x00\x00\r\n", "\r\n", "HTTP/1.1 400 Bad Request\r\n", // no RESP, or none that is sent
		"+OK\r\n$3\r\nabc\r\n$1099511627776\r\n",
		strings.Repeat("*1\r\n", redis.Deepest+1),
		strings.Repeat("*2\r\n:1\r\n", redis.Deepest+1), // each is the second item of the one before
		strings.Repeat("*2\r\n$1\r\na\r\n", redis.Deepest+1),
		strings.Repeat("%1\r\n+a\r\n", redis.Deepest+1),
		strings.Repeat("*3\r\n*-1\r\n*1\r\n*0\r\n", redis.Deepest+1),
		strings.Repeat("x", 100_000),
	} {
		if err := look(wrong); !errors.Is(err, redis.ErrClaim) {
			t.Errorf("%.40q: %v, want ErrClaim", wrong, err)
		}
		if err := look(strings.Split(wrong, "")...); !errors.Is(err, redis.ErrClaim) {
			t.Errorf("%.40q, a byte at a time: %v, want ErrClaim", wrong, err)
		}
	}
}

// FuzzClaims: where the pieces of an answer begin makes no difference, no value
// is longer than may be, and no more lists are in each other.
func FuzzClaims(f *testing.F) {
	f.Add([]byte("*2\r\n$3\r\nabc\r\n$1099511627776\r\n"), 7)
	f.Add([]byte("+OK\r\n-ERR\r\n:1\r\n$-1\r\n"), 3)
	f.Add([]byte("*2\r\n*2\r\n:1\r\n*0\r\n*1\r\n*-1\r\n"+strings.Repeat("*2\r\n:1\r\n", redis.Deepest)), 9)
	f.Fuzz(func(t *testing.T, answer []byte, at int) {
		var c redis.Claims
		whole := c.Look(answer)
		if c.Skip() > redis.Longest+2 {
			t.Errorf("%q: %d bytes are to come, more than %d", answer, c.Skip(), redis.Longest)
		}
		if depth := nested(answer); whole == nil && depth > redis.Deepest {
			t.Errorf("%q: no error, with %d lists in each other", answer, depth)
		}
		at = min(max(at, 0), len(answer))
		if halves := look(string(answer[:at]), string(answer[at:])); (whole == nil) != (halves == nil) {
			t.Errorf("%q: %v as a whole, and %v in two pieces, %d bytes the first", answer, whole, halves, at)
		}
	})
}

// nested returns how many lists of an answer, as far as it goes, stand in each
// other, read as go-redis reads it: by calling itself.
func nested(answer []byte) (deepest int) {
	r := bufio.NewReader(bytes.NewReader(answer))
	var item func(depth int) bool
	item = func(depth int) bool {
		line, err := r.ReadString('\n')
		if err != nil || len(line) < 3 || !strings.HasSuffix(line, "\r\n") {
			return false
		}
		n, err := strconv.Atoi(line[1 : len(line)-2])
		switch line[0] {
		case '$', '=', '!':
			if err == nil && n >= 0 {
				_, err = r.Discard(n + len("\r\n"))
			}
			return err == nil
		case '%', '*', '~', '>':
			if line[0] == '%' {
				n *= 2
			}
			deepest = max(deepest, depth)
			for range n {
				if !item(depth + 1) {
					return false
				}
			}
			return err == nil
		}
		return true
	}
	for item(1) {
	}
	return deepest
}
