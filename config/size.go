// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// unlimited is written where a cap is expected, for none.
const unlimited = "none"

const (
	decimalUnits = "kMGTPE" // kB is 1000 bytes, MB 1000 kB, ...
	maxFraction  = 6        // digits after the point
)

// ParseSize returns the bytes that text stands for: "20GB" (decimal), "20GiB"
// (binary), "1.5 GiB", or a plain number of bytes. Upper and lower case are the
// same, a part of a byte is left out. The units are B, kB, MB, GB, TB, PB, EB,
// KiB, MiB, GiB, TiB, PiB and EiB. A size is not negative; anything else is an
// error that says what would be right.
func ParseSize(text string) (int64, error) {
	digits := strings.TrimLeft(text, "0123456789.")
	digits, unit := text[:len(text)-len(digits)], strings.TrimSpace(digits)
	factor, ok := unitFactor(unit)
	whole, fraction, point := strings.Cut(digits, ".")
	if !ok || whole == "" || point && fraction == "" || strings.Contains(fraction, ".") || len(fraction) > maxFraction {
		return 0, errors.New("is not a size; write a number and a unit, such as 20GB (decimal) or 20GiB (binary)")
	}
	size, ok := multiply(whole+fraction, factor, len(fraction))
	if !ok {
		return 0, fmt.Errorf("is too large; a size is at most %d bytes (8EiB less one)", int64(math.MaxInt64))
	}
	return size, nil
}

// parseSigned is ParseSize for what may be less than 0, for a better message.
func parseSigned(text string) (int64, error) {
	text, negative := strings.CutPrefix(strings.TrimSpace(text), "-")
	size, err := ParseSize(text)
	if negative {
		size = -size
	}
	return size, err
}

// unitFactor returns the bytes of a unit, 1 for none.
func unitFactor(unit string) (uint64, bool) {
	if unit == "" || strings.EqualFold(unit, "B") {
		return 1, true
	}
	for i := range len(decimalUnits) {
		letter := decimalUnits[i : i+1]
		switch {
		case strings.EqualFold(unit, letter+"B"):
			return uint64(math.Pow10(3 * (i + 1))), true
		case strings.EqualFold(unit, letter+"iB"):
			return 1 << (10 * (i + 1)), true
		}
	}
	return 0, false
}

// multiply returns digits, of which the last few are behind the point, times
// factor, if that fits.
func multiply(digits string, factor uint64, behind int) (int64, bool) {
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, false
	}
	scale := uint64(math.Pow10(behind))
	high, low := bits.Mul64(n, factor)
	if high >= scale {
		return 0, false
	}
	size, _ := bits.Div64(high, low, scale)
	return int64(size), size <= math.MaxInt64
}

// formatSize returns size exactly, in the largest unit of which it is a whole
// number; binary units come first.
func formatSize(size int64) string {
	if size == 0 {
		return "0"
	}
	for i := len(decimalUnits) - 1; i >= 0; i-- {
		if factor := int64(1) << (10 * (i + 1)); size%factor == 0 {
			return fmt.Sprintf("%d%siB", size/factor, strings.ToUpper(decimalUnits[i:i+1]))
		}
	}
	for i := len(decimalUnits) - 1; i >= 0; i-- {
		if factor := int64(math.Pow10(3 * (i + 1))); size%factor == 0 {
			return fmt.Sprintf("%d%cB", size/factor, decimalUnits[i])
		}
	}
	return strconv.FormatInt(size, 10)
}
