module github.com/tiercecache/tierce/bench

go 1.26.0

require (
	github.com/hashicorp/golang-lru/v2 v2.0.7
	github.com/tiercecache/tierce v0.0.0
)

require go.etcd.io/bbolt v1.5.0 // indirect

require (
	github.com/gofrs/flock v0.13.1 // indirect
	github.com/klauspost/cpuid/v2 v2.4.2 // indirect
	github.com/maypok86/otter/v2 v2.4.0
	github.com/zeebo/xxh3 v1.1.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/tiercecache/tierce => ../
