// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
)

// DamageError is a miss because of damage: errors.Is(err, cacheerr.ErrMiss) and
// errors.Is(err, cacheerr.ErrDamaged) hold. The entry was removed, if the
// server let it, so that the next Put heals it.
type DamageError struct {
	Key interfaces.Key
	Why string // what was wrong
}

// Error implements error.
func (e *DamageError) Error() string {
	return fmt.Sprintf("entry %s is damaged and was not used: %s", e.Key.Short(), e.Why)
}

// Unwrap returns cacheerr.ErrDamaged.
func (e *DamageError) Unwrap() error { return cacheerr.ErrDamaged }

// dropDamaged removes the damaged entry under key, if it is still the value
// that was looked at: somebody may have put a whole one meanwhile. With no
// value, what goes is whatever cannot be this package's.
func (c *Cache) dropDamaged(ctx context.Context, key interfaces.Key, value string, why error) error {
	sum := sha1.Sum([]byte(value))
	_ = c.await(ctx, "get", func(ctx context.Context) error { // if that is refused: still a miss
		run := func(command, script string) error {
			// What go-redis has for scripts reads any answer. This one is a number.
			return c.client.Process(ctx, goredis.NewIntCmd(ctx, command, script, 1, c.name(key), longest, hex.EncodeToString(sum[:])))
		}
		err := run("evalsha", dropIfSameHash)
		if goredis.HasErrorPrefix(err, "NOSCRIPT") {
			err = run("eval", dropIfSame)
		}
		return err
	})
	return &DamageError{Key: key, Why: why.Error()}
}

// dropIfSame removes a value that is no string, is longer than any of ours, or
// has the digest of what was looked at. SHA-1 is what a script can compute; it
// tells values apart, not strangers.
const dropIfSame = `
if redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('STRLEN', KEYS[1]) <= tonumber(ARGV[1])
	and redis.sha1hex(redis.call('GET', KEYS[1])) ~= ARGV[2] then
	return 0
end
return redis.call('UNLINK', KEYS[1])`

// dropIfSameHash is what a server that has run it knows it by.
var dropIfSameHash = goredis.NewScript(dropIfSame).Hash()
