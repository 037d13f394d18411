class Model:
    def predict(self)
        pass
