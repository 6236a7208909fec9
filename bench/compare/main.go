// SPDX-License-Identifier: Apache-2.0

// Compare measures Tierce side by side with what it competes with, and prints
// ratios as Markdown tables: docs/benchmarks.md is made of its output.
//
// Every round measures all competitors in random order; a ratio is the median
// over the rounds of the ratio within a round, so that what else the machine
// does falls on all alike.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 11, "rounds of each comparison; cold builds take a third of them")
	only := flag.String("only", "", "comma-separated comparisons: start, puts, remote, warm, vet, link, cold, memory, disk, redis, replay, exec, scale (default all but scale)")
	module := flag.String("module", "golang.org/x/tools@v0.52.0", "module that the builds build")
	trips := flag.String("trips", "0,1,5,20,50", "round trips to the server in milliseconds for remote")
	sizes := flag.String("sizes", "1000,10000,100000,1000000", "numbers of entries for scale")
	child := flag.String("scale-child", "", "what this program does when scale starts it")
	dir := flag.String("scale-dir", "", "where it does that")
	testing.Init()
	_ = flag.Set("test.benchtime", "100ms") // many short rounds rather than few long ones
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := error(nil)
	if *child != "" {
		err = scaleChild(ctx, *child, *dir)
	} else {
		err = run(ctx, *rounds, *module, *only, *sizes, *trips)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds int, module, only, sizes, trips string) error {
	wanted := func(name string) bool {
		return only == "" || slices.Contains(strings.Split(only, ","), name)
	}
	if wanted("memory") {
		compareMemory(rounds)
	}
	if wanted("replay") {
		if err := compareReplays(ctx, rounds); err != nil {
			return err
		}
	}
	if wanted("exec") {
		if err := compareExec(ctx, rounds); err != nil {
			return err
		}
	}
	if wanted("disk") {
		if err := compareDisk(ctx, rounds); err != nil {
			return err
		}
	}
	if only == "scale" {
		var numbers []int
		for size := range strings.SplitSeq(sizes, ",") {
			n, err := strconv.Atoi(size)
			if err != nil {
				return err
			}
			numbers = append(numbers, n)
		}
		return compareScale(ctx, rounds, numbers)
	}
	if wanted("redis") {
		if err := compareRedis(ctx, rounds); err != nil {
			return err
		}
	}
	if slices.ContainsFunc([]string{"start", "remote", "puts", "warm", "vet", "link", "cold"}, wanted) {
		return compareBuilds(ctx, rounds, module, trips, wanted)
	}
	return nil
}

// competitor is something that can be measured: it returns how long one run
// took, or what else is compared.
type competitor struct {
	name    string
	measure func() (float64, error)
}

// table measures the competitors for some rounds and prints a line for each:
// its median, and its ratio to each of those named in base.
func table(title, unit string, rounds int, base []string, competitors ...competitor) error {
	results := make(map[string][]float64)
	for range rounds {
		for _, i := range rand.Perm(len(competitors)) {
			c := competitors[i]
			value, err := c.measure()
			if err != nil {
				return fmt.Errorf("%s: %s: %w", title, c.name, err)
			}
			results[c.name] = append(results[c.name], value)
		}
	}
	fmt.Printf("\n%s (%d rounds)\n\n| | median %s |", title, rounds, unit)
	for _, b := range base {
		fmt.Printf(" to %s |", b)
	}
	fmt.Printf("\n|---|---|%s\n", strings.Repeat("---|", len(base)))
	for _, c := range competitors {
		fmt.Printf("| %s | %.4g |", c.name, median(results[c.name]))
		for _, b := range base {
			fmt.Printf(" %.2f |", median(ratios(results[c.name], results[b])))
		}
		fmt.Println()
	}
	return nil
}

func ratios(values, base []float64) []float64 {
	out := make([]float64, len(values))
	for i := range values {
		out[i] = values[i] / base[i]
	}
	return out
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	mid := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[mid]
	}
	return (sorted[mid-1] + sorted[mid]) / 2
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
