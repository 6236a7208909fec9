// SPDX-License-Identifier: Apache-2.0

// Package tierce is the root of Tierce, a multi-tier cache for compilers. It
// has no code of its own: start with package interfaces for the contract,
// package tiers for the stack, package config for a stack made from a
// configuration, or cmd/tierce for the command. ARCHITECTURE.md says where
// everything is.
package tierce
