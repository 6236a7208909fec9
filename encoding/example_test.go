// SPDX-License-Identifier: Apache-2.0

package encoding_test

import (
	"fmt"
	"math/big"

	"github.com/tiercecache/tierce/encoding"
	cacheerr "github.com/tiercecache/tierce/errors"
)

// The key of a call is made of the function's name and its parameters.
func Example() {
	type options struct {
		Package string
		Flags   []string
	}
	params, err := encoding.CanonicalJSON(options{"example.com/p", []string{"-O2"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	space := encoding.Keyspace{Schema: 1, Namespace: "example.com/compiler"}
	key, err := space.Key([]byte("Compile"), params)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n%s\n", params, key.Short())
	// Output:
	// {"Package":"example.com/p","Flags":["-O2"]}
	// fd5092b1795f
}

// decimal is a codec of one's own: any type with these two methods.
type decimal struct{}

func (decimal) Encode(n *big.Int) ([]byte, error) { return n.Append(nil, 10), nil }

func (decimal) Decode(data []byte) (*big.Int, error) {
	n, ok := new(big.Int).SetString(string(data), 10)
	if !ok {
		return nil, &cacheerr.ValueUnPicklingError{First: data[:min(len(data), 32)], Size: int64(len(data)), Type: "*big.Int"}
	}
	return n, nil
}

func ExampleCodec() {
	var codec encoding.Codec[*big.Int] = decimal{}
	data, _ := codec.Encode(big.NewInt(42))
	fmt.Printf("%s\n", data)
	_, err := codec.Decode([]byte("4x"))
	fmt.Println(err)
	// Output:
	// 42
	// 2 bytes that begin with "4x" cannot be decoded as *big.Int; read with the codec and type that the entry was written with
}
