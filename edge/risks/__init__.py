"""Windows to Assessments: the TFLite models, checked before they are opened."""
