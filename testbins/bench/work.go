// Goroutines, maps, sorting, hashing and garbage in Go.
package main

import (
	"crypto/sha256"
	"fmt"
	"sort"
	"strings"
)

type node struct {
	left, right *node
	value       int
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{value: 1}
	}
	return &node{tree(depth - 1), tree(depth - 1), depth}
}

func (n *node) sum() int {
	if n == nil {
		return 0
	}
	return n.value + n.left.sum() + n.right.sum()
}

func main() {
	work, done := make(chan int), make(chan int)
	for w := 0; w < 4; w++ {
		go func() {
			s := 0
			for n := range work {
				s += tree(n).sum()
			}
			done <- s
		}()
	}
	for i := 0; i < 60; i++ {
		work <- 8 + i%4
	}
	close(work)
	total := 0
	for w := 0; w < 4; w++ {
		total += <-done
	}
	counts := map[string]int{}
	for i := 0; i < 60000; i++ {
		counts[fmt.Sprintf("k%d", i*7919%5003)]++
	}
	keys := make([]string, 0, len(counts))
	for k := range counts {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	fmt.Printf("%d %d %x\n", total, len(keys), sha256.Sum256([]byte(strings.Join(keys, ","))))
}
