// SPDX-License-Identifier: Apache-2.0

package redis_test

import (
	"errors"
	"fmt"
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
		"$4\r\n$99\n\r\n+OK\r\n", "*3\r\n$1\r\na\r\n*0\r\n:1\r\n", "%1\r\n+a\r\n+b\r\n",
		fmt.Sprintf("$%d\r\n", redis.Longest),
		"$5\r\n*9999\r\n$5\r\n$9999\r\n",
		strings.Repeat("*2\r\n:1\r\n", 100),
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
		"+OK\r\n$3\r\nabc\r\n$1099511627776\r\n",
		strings.Repeat("*1\r\n", 100),
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

// FuzzClaims: where the pieces of an answer begin makes no difference, and no
// value is longer than may be.
func FuzzClaims(f *testing.F) {
	f.Add([]byte("*2\r\n$3\r\nabc\r\n$1099511627776\r\n"), 7)
	f.Add([]byte("+OK\r\n-ERR\r\n:1\r\n$-1\r\n"), 3)
	f.Fuzz(func(t *testing.T, answer []byte, at int) {
		var c redis.Claims
		whole := c.Look(answer)
		if c.Skip() > redis.Longest+2 {
			t.Errorf("%q: %d bytes are to come, more than %d", answer, c.Skip(), redis.Longest)
		}
		at = min(max(at, 0), len(answer))
		if halves := look(string(answer[:at]), string(answer[at:])); (whole == nil) != (halves == nil) {
			t.Errorf("%q: %v as a whole, and %v in two pieces, %d bytes the first", answer, whole, halves, at)
		}
	})
}
