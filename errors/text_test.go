// SPDX-License-Identifier: Apache-2.0

package errors_test

import (
	"errors"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	cacheerr "github.com/tiercecache/tierce/errors"
)

func TestMessages(t *testing.T) {
	for _, s := range samples() {
		t.Run("E2 "+s.err.ErrorName()+" says what failed, on what, and what to do", func(t *testing.T) {
			if got := s.err.Error(); got != s.message {
				t.Errorf("message\n got %s\nwant %s", got, s.message)
			}
			if user, ok := s.err.(cacheerr.UserError); ok && !strings.HasSuffix(s.message, user.Remedy()) {
				t.Errorf("the message does not end with the remedy %q", user.Remedy())
			}
		})
	}
	t.Run("E2 keys and values are shortened", func(t *testing.T) {
		long := strings.Repeat("\xff語", 1<<20)
		for _, err := range []error{
			&cacheerr.KeyPicklingError{Type: long, Value: long},
			&cacheerr.ValuePicklingError{Type: long, Value: long},
			&cacheerr.ValueUnPicklingError{Type: long, First: []byte(long), Size: 1 << 40},
			&cacheerr.StrictDeterministicCachingInsertionError{Function: long, Key: long},
			&cacheerr.DeterministicCachingIMCDumpConflictError{Key: long},
		} {
			if text := err.Error(); len(text) > 400 || !utf8.ValidString(text) {
				t.Errorf("message of %d bytes, valid UTF-8 %v", len(text), utf8.ValidString(text))
			}
		}
	})
}

func TestMessagesKeepSecrets(t *testing.T) {
	const address = "redis://user:secret@host:6379/0"
	_, parse := url.Parse(address + "\x7f")
	for _, err := range []error{
		&cacheerr.BackendNotAvailableError{Tier: address, Err: errors.New("dial " + address + ": refused")},
		&cacheerr.BackendNotAvailableError{Tier: "redis", Err: parse},
		&cacheerr.BackendExecutionError{Tier: "redis", Op: "get", Reason: "no answer from " + address},
		&cacheerr.DeterministicCachingInvalidConfigurationError{Why: "cannot use " + address},
		&cacheerr.KeyPicklingError{Type: "T", Value: strings.Repeat("x", 40) + address},
		&cacheerr.ValueUnPicklingError{First: []byte(address)},
		&cacheerr.TierFailures{Failures: []cacheerr.TierFailure{{Tier: "redis", Err: errors.New(address)}}},
	} {
		t.Run("E2 no secret is printed", func(t *testing.T) {
			for _, text := range []string{err.Error(), string(cacheerr.ToJSON(err))} {
				if strings.Contains(text, "secret") {
					t.Errorf("%T prints the password: %s", err, text)
				}
			}
		})
	}
}

func TestRedact(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing to hide", "open /a/b@c: no such file", "open /a/b@c: no such file"},
		{"no user", "get http://host:80/a@b?x=1&y=2", "get http://host:80/a@b?x=1&y=2"},
		{"no user, IPv6", "http://[::1]:80/a@b", "http://[::1]:80/a@b"},
		{"a file", "file:///a/b@c:d", "file:///a/b@c:d"},
		{"password", "dial redis://user:secret@host: refused", "dial redis://user:xxxxx@host: refused"},
		{"password alone", "rediss://:secret@host/0", "rediss://:xxxxx@host/0"},
		{"token alone", "https://secret@host/path", "https://xxxxx@host/path"},
		{"at in it", "redis://user:sec@ret@host/0", "redis://user:xxxxx@host/0"},
		{"slash in it", "redis://user:sec/ret@host/0", "redis://user:xxxxx@host/0"},
		{"quoted with a space in it", `parse "redis://user:sec ret@host": bad`, `parse "redis://user:xxxxx@host": bad`},
		{"quoted with a quote in it", `parse "redis://user:sec\"ret@host": a@b`, `parse "redis://user:xxxxx@host": a@b`},
		{"behind a quoted URL", `"http://host", "a:b@c"`, `"http://host", "a:b@c"`},
		{"unquoted, then an address", `http://host> a:b@c`, `http://host> a:b@c`},
		{"several", "redis://u:secret@h1:1,redis://u:secret@h2:2", "redis://u:xxxxx@h1:1,redis://u:xxxxx@h2:2"},
		{"several hosts", "redis://h1:1,redis://u:secret@h2:2", "redis://h1:1,redis://u:xxxxx@h2:2"},
		{
			"query", `Get "https://h/k?list=2&X-Amz-Signature=secret&token=secret": EOF`,
			`Get "https://h/k?list=2&X-Amz-Signature=xxxxx&token=xxxxx": EOF`,
		},
		{"query in a query", "http://h/?a?password=secret#f", "http://h/?a?password=xxxxx#f"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := cacheerr.Redact(test.text); got != test.want {
				t.Errorf("Redact(%q)\n got %q\nwant %q", test.text, got, test.want)
			}
		})
	}
}

func TestShorten(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"short", "abc", "abc"},
		{"exactly", strings.Repeat("a", 64), strings.Repeat("a", 64)},
		{"long", strings.Repeat("a", 65), strings.Repeat("a", 61) + "…"},
		{"between runes", strings.Repeat("語", 30), strings.Repeat("語", 20) + "…"},
		{"not UTF-8", "a\xff\xfeb", "a\uFFFDb"},
		{"of what is not looked at", strings.Repeat("\xff", 5000), "\uFFFD…"},
		{"hidden first", strings.Repeat("a", 40) + " redis://u:secret@host", strings.Repeat("a", 40) + " redis://u:xxxxx@host"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := cacheerr.Shorten(test.text); got != test.want {
				t.Errorf("Shorten\n got %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestShortenCost(t *testing.T) {
	long := strings.Repeat("\xffa://b", 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_ = cacheerr.Shorten(long)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("E2 shortening %d bytes took %d bytes of memory", len(long), used)
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("dial ", "user", "secret", "host:6379/0: refused")
	f.Add(`parse "`, "", `s/e@c"r`, `host": "a@b"`)
	f.Add("x://y,", "a", "?token=b", "c?token=d")
	f.Fuzz(func(t *testing.T, before, user, password, after string) {
		once := cacheerr.Redact(before + "://" + user + ":" + password + "@" + after)
		if twice := cacheerr.Redact(once); twice != once {
			t.Errorf("not the same again:\n%q\n%q", once, twice)
		}
		info := url.UserPassword("user", "["+password+"]")
		text := before + " redis://" + info.String() + "@host"
		if got := cacheerr.Redact(text); !strings.HasSuffix(got, "redis://user:xxxxx@host") {
			t.Errorf("Redact(%q) = %q", text, got)
		}
	})
}
