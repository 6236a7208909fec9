// SPDX-License-Identifier: Apache-2.0

package errors

// CustomParamsEncoderRequiredError says that no key can be made of a recorded
// function's parameters.
//
// Returned when:
//   - the parameters cannot be encoded and the recorder has no encoder for
//     them; the cause is the [KeyEncodingError].
type CustomParamsEncoderRequiredError struct {
	Function string `json:"function"` // name of the function
	Err      error  `json:"-"`        // why the parameters cannot be encoded; may be nil
}

// Error implements error.
func (e *CustomParamsEncoderRequiredError) Error() string {
	return message("parameters of function "+quote(e.Function)+" cannot be made a key", e.Err, e.Remedy())
}

// Unwrap returns why the parameters cannot be encoded.
func (e *CustomParamsEncoderRequiredError) Unwrap() error { return e.Err }

// ErrorName implements [CacheError].
func (e *CustomParamsEncoderRequiredError) ErrorName() string {
	return "CustomParamsEncoderRequiredError"
}

// Remedy implements [UserError].
func (e *CustomParamsEncoderRequiredError) Remedy() string {
	return "give the recorder an encoder for these parameters"
}

// CustomResultEncoderRequiredError says that a recorded function's result
// cannot be stored for want of an encoder.
//
// Returned when:
//   - a recorder is made with a result decoder and without the encoder;
//   - a result cannot be encoded; the cause is the [ValueEncodingError].
type CustomResultEncoderRequiredError struct {
	Function string `json:"function"` // name of the function
	Err      error  `json:"-"`        // why the result cannot be encoded; may be nil
}

// Error implements error.
func (e *CustomResultEncoderRequiredError) Error() string {
	return message("results of function "+quote(e.Function)+" cannot be stored without an encoder", e.Err, e.Remedy())
}

// Unwrap returns why the result cannot be encoded.
func (e *CustomResultEncoderRequiredError) Unwrap() error { return e.Err }

// ErrorName implements [CacheError].
func (e *CustomResultEncoderRequiredError) ErrorName() string {
	return "CustomResultEncoderRequiredError"
}

// Remedy implements [UserError].
func (e *CustomResultEncoderRequiredError) Remedy() string {
	return "give the recorder an encoder for this result, together with its decoder"
}

// CustomResultDecoderRequiredError says that a recorded function's result could
// be stored and never be read again.
//
// Returned when:
//   - a recorder is made with a result encoder and without the decoder.
type CustomResultDecoderRequiredError struct {
	Function string `json:"function"` // name of the function
}

// Error implements error.
func (e *CustomResultDecoderRequiredError) Error() string {
	return message("results of function "+quote(e.Function)+" cannot be read without a decoder", nil, e.Remedy())
}

// ErrorName implements [CacheError].
func (e *CustomResultDecoderRequiredError) ErrorName() string {
	return "CustomResultDecoderRequiredError"
}

// Remedy implements [UserError].
func (e *CustomResultDecoderRequiredError) Remedy() string {
	return "give the recorder a decoder for this result, together with its encoder"
}
