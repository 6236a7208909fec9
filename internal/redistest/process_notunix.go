// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package redistest

import "errors"

func (*process) pause() error  { return errors.ErrUnsupported }
func (*process) resume() error { return errors.ErrUnsupported }
