package weights

// OpenTorch reads a PyTorch checkpoint.
func OpenTorch(path string) (Source, error) {
	return nil, badf(path, "PyTorch files cannot be read; convert it to safetensors")
}
