// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tiercecache/tierce/config"
	"github.com/tiercecache/tierce/tiers"
)

const address = "TIERCE_REDIS_URL=rediss://ci:hunter2@redis.example.com:6380/3"

// An address in the environment is all that a machine of the team needs.
func TestRedisURL(t *testing.T) {
	t.Run("adds a tier behind all others", func(t *testing.T) {
		sources := fromFile(t, "tiers: [{type: filestream}]")
		sources.Environ = []string{address}
		c := load(t, sources)
		last := c.Tiers[len(c.Tiers)-1]
		if len(c.Tiers) != 2 || last.Type != "redis" || last.Name != "redis" || !last.Behind || last.ReadOnly || last.MaxBody != 0 {
			t.Errorf("the tiers are %+v, want filestream and redis, written behind", c.Tiers)
		}
		stack, err := c.Open(t.Context(), config.Builtin(), tiers.Options{})
		if err != nil {
			t.Fatalf("Open where no server is: %v, want none before the server is asked", err)
		}
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("is that of the tier that the file has", func(t *testing.T) {
		sources := fromFile(t, "tiers: [{type: redis, name: team, options: {url: 'redis://elsewhere', ttl: 1h}}]")
		sources.Environ = []string{address}
		text := printed(t, load(t, sources), config.Builtin())
		if !strings.Contains(text, "redis.example.com") || strings.Contains(text, "elsewhere") || !strings.Contains(text, "ttl: 1h") {
			t.Errorf("%s\nwant the variable's address and the file's ttl", text)
		}
	})
	t.Run("that cannot be is told with its place and without its password", func(t *testing.T) {
		for _, wrong := range []string{"http://ci:hunter2@host", "redis://ci:hunter2@ho st", "redis://ci:hunter2@host/db", "redis://ci:hunter2@host?colour=red"} {
			sources := fromFile(t, "tiers: [{type: filestream}]")
			sources.Environ = []string{"TIERCE_REDIS_URL=" + wrong}
			err := load(t, sources).Check(t.Context(), config.Builtin())
			if err == nil || !strings.HasPrefix(err.Error(), "TIERCE_REDIS_URL: ") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: error %v, want one that begins with the variable", wrong, err)
			}
		}
	})
}

// E2: nothing prints a password.
func TestRedisSecrets(t *testing.T) {
	content := `
tiers:
  - type: redis
    options:
      url: redis://ci:${REDIS_PASSWORD}@redis.example.com
      sentinel_password: hunter3
`
	sources := fromFile(t, content)
	sources.Environ = []string{"REDIS_PASSWORD=hunter2"}
	c := load(t, sources)
	for how, text := range map[string]string{
		"print": printed(t, c, config.Builtin()), "%+v": fmt.Sprintf("%+v", c), "%#v": fmt.Sprintf("%#v", c),
		"a URL": fmt.Sprintf("%v %+v %#v %s", config.URL{Secret: config.NewSecret("redis://ci:hunter2@host")},
			config.URL{Secret: config.NewSecret("redis://ci:hunter2@host")}, config.URL{Secret: config.NewSecret("redis://ci:hunter2@host")},
			config.URL{Secret: config.NewSecret("redis://ci:hunter2@host")}),
	} {
		if strings.Contains(text, "hunter") {
			t.Errorf("%s has a password:\n%s", how, text)
		}
	}
	text := printed(t, c, config.Builtin())
	if !strings.Contains(text, "redis://ci:xxxxx@redis.example.com") {
		t.Errorf("%s\nwant to see which server it is", text)
	}
	again := fromFile(t, text)
	again.Environ = sources.Environ
	if err := load(t, again).Check(t.Context(), config.Builtin()); err == nil || !strings.Contains(err.Error(), "as it is printed") {
		t.Errorf("what was printed is loaded: error %v, want one that the password is not in it", err)
	}
}

// A file names its certificates from where it is.
func TestRedisTLS(t *testing.T) {
	sources := fromFile(t, "tiers: [{type: redis, options: {addrs: ['localhost:1'], tls: {ca: ca.pem}}}]")
	c := load(t, sources)
	dir := filepath.Dir(sources.Flags.Config)
	if err := c.Check(t.Context(), config.Builtin()); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "ca.pem")) {
		t.Errorf("error %v, want one that the file is missing beside tierce.yaml", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Check(t.Context(), config.Builtin()); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("error %v, want one that there is no certificate in it", err)
	}
}

// TestRedisBeforeDirectory: what comes from another machine would be believed.
func TestRedisBeforeDirectory(t *testing.T) {
	c := load(t, fromFile(t, "dir: cache\ntiers: [{type: memory}, {type: redis, options: {url: 'redis://localhost:1'}}, {type: filestream}]"))
	err := c.Check(t.Context(), config.Builtin())
	if wrong, ok := errors.AsType[*config.Error](err); !ok || wrong.Field != "tiers[2]" || !strings.Contains(err.Error(), "stands behind tiers[1]") {
		t.Errorf("error %v, want one of tiers[2], which stands behind tiers[1]", err)
	}
}
