// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/tiercecache/tierce/config"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "1000": 1000, "7B": 7, "1kB": 1000, "1KB": 1000, "1KiB": 1 << 10, "64 KiB": 64 << 10,
		"20GB": 20e9, "20gb": 20e9, "20GiB": 20 << 30, "20gib": 20 << 30, "1.5GiB": 3 << 29, "0.5kB": 500,
		"1.1KiB": 1126, "3PB": 3e15, "7EiB": 7 << 60, "9223372036854775807": math.MaxInt64,
	} {
		if got, err := config.ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) is %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", "GiB", "20 gigs", "20G", "20Gi", "-5MiB", "+5", "1e3", "1e999", "1,000", "1_000", ".5kB", "5.kB", "1.2.3kB",
		"0x10", "8EiB", "9223372036854775808", "99999999999999999999", "1.0000001GiB", "NaN", "5 MiB!", "٣MiB",
	} {
		if got, err := config.ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) is %d, want an error", text, got)
		}
	}
}

// Whatever is taken is not negative, and multiplies as it says.
func FuzzParseSize(f *testing.F) {
	for _, text := range []string{"20GiB", "1.5 kB", "-5", "99999999999999999999EB", "0.000001EiB"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		size, err := config.ParseSize(text)
		if size < 0 || err != nil && size != 0 {
			t.Errorf("ParseSize(%q) is %d, %v", text, size, err)
		}
		if err == nil {
			if again, err := config.ParseSize(fmt.Sprint(size)); err != nil || again != size {
				t.Errorf("ParseSize(%d) is %d, %v", size, again, err)
			}
		}
	})
}
