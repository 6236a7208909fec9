// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"fmt"
	"strings"

	cacheerr "github.com/tiercecache/tierce/errors"
)

// argument is an argument as it may be shown, and the short digest of it if that
// is not all.
type argument struct {
	Text   string `json:"text"`
	Digest string `json:"digest,omitempty"`
}

const (
	// maxArguments is how many arguments are told apart.
	maxArguments = 100
	// concealed stands for a secret, as in package config.
	concealed = "[redacted]"
)

// shownArgs returns arguments as they may be shown: shortened, and without what
// is secret as far as one can tell: passwords in URLs, and what stands behind a
// name that says so, as in --token=x, TOKEN=x, "Authorization: x" and --token x.
func shownArgs(args []string) []argument {
	shown := make([]argument, 0, min(len(args), maxArguments)+1)
	secret := false
	for i, arg := range args {
		if i == maxArguments {
			rest := strings.Join(args[i:], "\x00")
			return append(shown, argument{fmt.Sprintf("… and %d more", len(args)-i), shortOf(rest)})
		}
		text := cacheerr.Shorten(arg)
		name, value, named := cutName(arg)
		switch flag := strings.HasPrefix(arg, "-"); {
		case secret && !flag:
			text = concealed
		case named && value != "" && isSecret(name):
			text = cacheerr.Shorten(name) + concealed
		}
		secret = !named && strings.HasPrefix(arg, "-") && isSecret(arg)
		one := argument{Text: text}
		if text != arg {
			one.Digest = shortOf(arg)
		}
		shown = append(shown, one)
	}
	return shown
}

// cutName returns the name at the beginning of NAME=VALUE or NAME: VALUE, with
// what is between, and the value.
func cutName(arg string) (name, value string, named bool) {
	at := strings.IndexAny(arg, "=:")
	if at < 0 {
		return "", "", false
	}
	return arg[:at+1], arg[at+1:], true
}

// isSecret reports whether what is called so is likely secret.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"password", "passwd", "passphrase", "secret", "token", "credential", "authorization", "cookie", "apikey", "api-key", "api_key"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
