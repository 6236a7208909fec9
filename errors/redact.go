// SPDX-License-Identifier: Apache-2.0

package errors

import "strings"

// hidden stands for a secret, as in [net/url.URL.Redacted].
const hidden = "xxxxx"

// Redact returns text with "xxxxx" in place of the secrets in the URLs of it:
// the password (redis://user:xxxxx@host), a user name without a password, which
// may be a token, and the values of query parameters that are named like one
// (?token=xxxxx). It is meant for the texts of errors and for log lines; a
// secret outside a URL is not recognized.
func Redact(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	return redactQueries(redactUsers(text))
}

func redactUsers(text string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "://")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("://")
		size := userSize(urlSpan(before, after))
		if size > 0 {
			if user, _, ok := strings.Cut(after[:size], ":"); ok {
				b.WriteString(user + ":")
			}
			b.WriteString(hidden)
		}
		text = after[size:]
	}
}

// urlSpan returns the beginning of after, what follows "://", that belongs to
// the URL whose scheme ends before. A quoted URL ends at its quote, another one
// at a character that no URL has; each ends where the next one begins.
func urlSpan(before, after string) string {
	if next := strings.Index(after, "://"); next >= 0 {
		after = after[:next]
	}
	scheme := strings.TrimRight(before, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.")
	if scheme == "" || !strings.ContainsAny(scheme[len(scheme)-1:], "\"'`") {
		if end := strings.IndexAny(after, " \t\r\n\"`<>"); end >= 0 {
			after = after[:end]
		}
		return after
	}
	quote := scheme[len(scheme)-1]
	for i := range len(after) {
		if after[i] == quote && (i == 0 || after[i-1] != '\\') {
			return after[:i]
		}
	}
	return after
}

// userSize returns the length of the user and password at the beginning of a
// URL's part behind "://". A password may have a slash that should have been
// escaped: such a URL looks as if its port were no number.
func userSize(url string) int {
	authority := url
	if end := strings.IndexAny(url, "/?#"); end >= 0 {
		authority = url[:end]
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		return at
	}
	_, port, ok := strings.Cut(authority, ":")
	if !ok || strings.HasPrefix(authority, "[") || strings.Trim(port, "0123456789") == "" {
		return 0
	}
	return max(0, strings.LastIndexByte(url, '@'))
}

func redactQueries(text string) string {
	var b strings.Builder
	for {
		start := strings.IndexAny(text, "?&") + 1
		if start == 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:start])
		text = text[start:]
		if name, value := secretParameter(text); name != "" {
			b.WriteString(name + "=" + hidden)
			text = text[len(name)+len("=")+len(value):]
		}
	}
}

// secretParameter returns the name and the value of the query's parameter that
// text begins with, or nothing if it is not named like a secret.
func secretParameter(text string) (name, value string) {
	end := strings.IndexAny(text, "=&?/ \t\r\n\"'`<>#;")
	if end < 0 || text[end] != '=' || !secretName(text[:end]) {
		return "", ""
	}
	name, value = text[:end], text[end+1:]
	if end := strings.IndexAny(value, "& \t\r\n\"'`<>#"); end >= 0 {
		value = value[:end]
	}
	return name, value
}

func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, secret := range []string{
		"password", "passwd", "pwd", "secret", "token", "signature", "sig", "credential", "auth", "apikey", "api_key",
	} {
		if strings.HasSuffix(name, secret) {
			return true
		}
	}
	return false
}
