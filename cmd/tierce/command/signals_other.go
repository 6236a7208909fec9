// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package command

import (
	"os"
	"os/exec"
)

// interrupts end a command of ours; run passes them on.
var interrupts = []os.Signal{os.Interrupt}

// notForHelper are the signals that must not end the helper: its go command
// decides when it is over.
var notForHelper = interrupts

// passedOn are the signals that run passes on: none, since Windows sends
// Ctrl-C to every process of the console.
var passedOn = []os.Signal{os.Interrupt}

// fromKeyboard reports whether a terminal sends the signal to the command too.
func fromKeyboard(os.Signal) bool { return true }

// endedBy returns the number of the signal that ended a command, or 0.
func endedBy(*exec.ExitError) int { return 0 }
