//go:build !linux

package par

func adviseHuge([]float32) {}
