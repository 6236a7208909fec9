module github.com/tiercecache/tierce

go 1.26.0
