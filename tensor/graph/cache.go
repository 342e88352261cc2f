package graph

import (
	"errors"
	"slices"
)

// Cache keeps the Programs of a model by shape, the least recently used one
// leaving when there are more than its limit.
//
// Concurrency: none; the model that owns it serialises.
type Cache[K comparable] struct {
	limit int
	order []K // least recently used first
	held  map[K]*Program
}

// NewCache returns a cache of at most limit programs.
func NewCache[K comparable](limit int) *Cache[K] {
	return &Cache[K]{limit: limit, held: map[K]*Program{}}
}

// Get returns the program for the key, building it when it isn't held.
func (c *Cache[K]) Get(key K, build func() (*Program, error)) (*Program, error) {
	p, ok := c.held[key]
	if !ok {
		var err error
		if p, err = build(); err != nil {
			return nil, err
		}
		if len(c.order) >= c.limit {
			oldest := c.order[0]
			c.order = c.order[1:]
			err = c.held[oldest].Close()
			delete(c.held, oldest)
			if err != nil {
				return nil, errors.Join(err, p.Close())
			}
		}
		c.held[key] = p
	}
	for i, k := range c.order {
		if k == key {
			c.order = append(c.order[:i], c.order[i+1:]...)
			break
		}
	}
	c.order = append(c.order, key)
	return p, nil
}

// Keep closes the programs whose keys aren't wanted.
func (c *Cache[K]) Keep(wanted func(K) bool) error {
	var errs []error
	c.order = slices.DeleteFunc(c.order, func(k K) bool {
		if wanted(k) {
			return false
		}
		errs = append(errs, c.held[k].Close())
		delete(c.held, k)
		return true
	})
	return errors.Join(errs...)
}

// Close closes every program held.
func (c *Cache[K]) Close() error {
	var errs []error
	for _, p := range c.held {
		errs = append(errs, p.Close())
	}
	clear(c.held)
	c.order = nil
	return errors.Join(errs...)
}
