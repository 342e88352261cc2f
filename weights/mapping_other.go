//go:build !linux && !darwin

package weights

import "os"

// openMapping reads the whole file where mapping is not supported.
func openMapping(path string) (*mapping, error) {
	if err := regular(path); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return &mapping{path: path, data: data}, nil
}

func (m *mapping) close() error {
	m.data = nil
	return nil
}

func (m *mapping) release([]byte) {}
