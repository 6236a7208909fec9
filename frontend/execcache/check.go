// SPDX-License-Identifier: Apache-2.0

package execcache

import (
	"bufio"
	"context"
	"fmt"
	"io"
)

// Check runs a command, whatever is recorded, and compares what it makes with
// what is recorded: with an undeclared input they may differ. What it prints is
// passed on and its files stay. Nothing is recorded.
//
// If nothing is recorded with a fast recorder, Outcome.Unreplayed is a
// cacheerr.ErrMiss or what was ill; with a deterministic one it is an error and
// the command does not run. Otherwise it fails as [Recorder.Run] does.
func (r *Recorder) Check(ctx context.Context, c Command, streams Streams) (Outcome, error) {
	j, err := r.newJob(ctx, c, streams.Stdin)
	if err != nil {
		return Outcome{}, err
	}
	defer j.close()
	result, missing := j.recorded.Get(ctx, j.parts)
	if missing != nil && r.opts.Files == nil {
		return Outcome{}, missing
	}
	defer result.Close()
	own, err := r.execute(ctx, j, streams, false)
	if err != nil {
		return Outcome{}, err
	}
	defer own.result.Close()
	outcome := Outcome{Code: own.result.Code, Unreplayed: missing, Unrecorded: own.unfit, Parts: j.parts}
	if missing == nil {
		outcome.Differences, err = differences(&result, own)
	}
	return outcome, err
}

// differences says in which way a recorded result is another than what the
// command made.
func differences(recorded *Result, own *execution) ([]string, error) {
	var all []string
	if recorded.Code != own.result.Code {
		all = append(all, fmt.Sprintf("the exit code: %d is recorded, and it is %d", recorded.Code, own.result.Code))
	}
	if own.unfit != nil {
		if len(all) == 0 {
			all = append(all, own.unfit.Error())
		}
		return all, nil // there is nothing else to compare
	}
	for i, name := range append([]string{"the standard output", "the standard error"}, own.names()...) {
		at, err := differAt(recorded.bodies()[i].Reader(), own.result.bodies()[i].Reader())
		if err != nil {
			return all, fmt.Errorf("comparing %s: %w", name, err)
		}
		if at >= 0 {
			all = append(all, fmt.Sprintf("%s: it is another from byte %d on", name, at))
		}
	}
	for i, file := range own.result.Files {
		if was := recorded.Files[i].Mode; was != file.Mode {
			all = append(all, fmt.Sprintf("%s: the mode %#o is recorded, and it is %#o", file.Path, was, file.Mode))
		}
	}
	return all, nil
}

func (e *execution) names() []string {
	names := make([]string, len(e.result.Files))
	for i, file := range e.result.Files {
		names[i] = file.Path
	}
	return names
}

// differAt returns the place of the first byte, from 0, in which two readers
// differ, and below 0 if they do not.
func differAt(a, b io.Reader) (int64, error) {
	left, right := bufio.NewReader(a), bufio.NewReader(b)
	for at := int64(0); ; at++ {
		x, errX := left.ReadByte()
		y, errY := right.ReadByte()
		switch {
		case errX == io.EOF && errY == io.EOF:
			return -1, nil
		case errX != nil && errX != io.EOF:
			return 0, errX
		case errY != nil && errY != io.EOF:
			return 0, errY
		case x != y || (errX == nil) != (errY == nil):
			return at, nil
		}
	}
}
