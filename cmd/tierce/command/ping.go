// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/tiercecache/tierce/config"
	cacheerr "github.com/tiercecache/tierce/errors"
	"github.com/tiercecache/tierce/interfaces"
	"github.com/tiercecache/tierce/tiers"
)

func (a *app) pingCommand() *cli.Command {
	return a.withJSON(a.leaf(&cli.Command{
		Name:  "ping",
		Usage: "ask each remote tier whether it can be used, and say what is wrong",
		Description: `Ask each configured tier that has a far end, such as a Redis server, whether it can
be read and written, or only read if it is read_only, and say in words what is
wrong and what would be right.

Exit code 0 says that all are well, or that there are none; 1 that one is not.`,
	}, a.ping))
}

// pinged is what "tierce ping --json" prints of one tier.
type pinged struct {
	Tier    string  `json:"tier"`
	Type    string  `json:"type"`
	Well    bool    `json:"well"`
	Seconds float64 `json:"seconds"` // how long the answer took
	Problem string  `json:"problem"` // what is wrong and what would be right; "" if it is well
}

func (a *app) ping(ctx context.Context) error {
	cfg, err := a.load()
	if err == nil {
		err = cfg.Check(ctx, a.registry)
	}
	if err != nil {
		return err
	}
	all := []pinged{}
	for _, t := range cfg.Tiers {
		p, asked := a.pingTier(ctx, cfg, t)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if asked {
			all = append(all, p)
		}
	}
	if err := a.printPinged(all); err != nil {
		return err
	}
	for _, p := range all {
		if !p.Well {
			return exitError{code: exitFailed}
		}
	}
	return nil
}

// pingTier opens one of the configured tiers alone and asks it, if it can be
// asked. Those that are this machine's cannot.
func (a *app) pingTier(ctx context.Context, cfg config.Config, t config.Tier) (p pinged, asked bool) {
	if t.Type == "memory" || t.Type == "filestream" {
		return pinged{}, false
	}
	t.Behind = false // there is no other in this stack
	cfg.Tiers = []config.Tier{t}
	start := time.Now()
	stack, err := cfg.Open(ctx, a.registry, tiers.Options{})
	if err == nil {
		defer stack.Close() //nolint:errcheck // only asked
		tier, ok := stack.Layers()[0].Tier.(interfaces.Pinger)
		if !ok {
			return pinged{}, false
		}
		start = time.Now()
		err = ask(ctx, tier, t.ReadOnly)
	}
	if errors.Is(err, errors.ErrUnsupported) {
		return pinged{}, false
	}
	p = pinged{Tier: t.Name, Type: t.Type, Well: err == nil, Seconds: time.Since(start).Seconds()}
	if err != nil {
		p.Problem = err.Error()
	}
	return p, true
}

// ask returns why a tier cannot be used, or nil. Of one that is never written only
// a key is looked up, which nothing has.
func ask(ctx context.Context, tier interfaces.Pinger, readOnly bool) error {
	if !readOnly {
		return tier.Ping(ctx)
	}
	_, err := interfaces.Stat(ctx, tier, interfaces.Key{})
	if errors.Is(err, cacheerr.ErrMiss) {
		return nil
	}
	return err
}

func (a *app) printPinged(all []pinged) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(a.stdout, "no remote tier is configured; TIERCE_REDIS_URL=redis://host:port adds one")
		return err
	}
	for _, p := range all {
		text := fmt.Sprintf("is well, and answered in %.1f ms", 1000*p.Seconds)
		if !p.Well {
			text = p.Problem
		}
		if _, err := fmt.Fprintf(a.stdout, "%s: %s\n", p.Tier, text); err != nil {
			return err
		}
	}
	return nil
}
